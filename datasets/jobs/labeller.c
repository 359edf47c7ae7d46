#include "datasets/jobs/labeller.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "base/random.h"
#include "datasets/formats/description.h"

struct labeller {
    const struct behaviour *expert;
    const struct env_spec *spec;
    struct env *env;
    struct behaviour_row row;
    float *action; /* (action_dim): the row's */
    float *label;  /* (length, action_dim) of the last episode */
    size_t label_capacity;
};

/* A source that leaves its space open has continuous actions. */
static bool labeller_actions_fit(const struct env_spec *task, const struct store_spec *spec)
{
    return spec->actions.dim == 0
               ? task->actions.kind == ACTION_CONTINUOUS && task->action_dim == spec->action_dim
               : action_space_fits(&task->actions, &spec->actions);
}

static bool labeller_check(const struct env_spec *task, const struct store_spec *spec,
                           struct failure *failure)
{
    if (spec->physics_dim == 0) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "label: found episodes without physics, expected the simulator's states "
                           "for an expert to look at; label data collected here or ExoRL's");
    }
    return (task->physics_dim == spec->physics_dim && labeller_actions_fit(task, spec) &&
            task->observation_dim == spec->observation_dim &&
            task->hidden_dim == spec->hidden_dim) ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "label: found %zu numbers of physics, %zu of action, %zu of observation and "
                       "%zu hidden ones, expected %zu, %zu, %zu and %zu as task %s has them; name "
                       "the task with --relabel",
                       spec->physics_dim, spec->action_dim, spec->observation_dim, spec->hidden_dim,
                       task->physics_dim, task->action_dim, task->observation_dim, task->hidden_dim,
                       task->task);
}

/* "WHERE; labels: EXPERT", in the place of the labels that there were. */
static void name_labels(struct store_spec *spec, const struct behaviour *expert)
{
    static const char mark[] = "; labels: ";
    char source[sizeof spec->source + sizeof expert->source + sizeof mark];
    const char *earlier = spec->has_label ? strstr(spec->source, mark) : NULL;
    size_t kept = earlier ? (size_t)(earlier - spec->source) : strlen(spec->source);
    snprintf(source, sizeof source, "%.*s%s%s", (int)kept, spec->source, mark, expert->source);
    description_copy_text(spec->source, sizeof spec->source, source);
}

struct labeller *labeller_open(const struct expert *expert, struct store_spec *spec,
                               struct failure *failure)
{
    const struct env_spec *task = env_task_spec(expert->task);
    if (!labeller_check(task, spec, failure)) {
        return NULL;
    }
    name_labels(spec, expert->behaviour);
    spec->has_label = true;
    struct labeller *labeller = memory_take(1, sizeof *labeller);
    *labeller = (struct labeller){
        .expert = expert->behaviour,
        .spec = task,
        .env = env_open(expert->task),
        .action = memory_take(task->action_dim, sizeof(float)),
    };
    return labeller;
}

void labeller_close(struct labeller *labeller)
{
    if (!labeller) {
        return;
    }
    env_close(labeller->env);
    memory_free(labeller->action);
    memory_free(labeller->label);
    memory_free(labeller);
}

bool labeller_check_length(const struct labeller *labeller, size_t length, const char *episode,
                           struct failure *failure)
{
    size_t most = labeller->expert->steps_max;
    return most == 0 || length <= most ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "label: found %zu steps in %s, expected at most %zu, as long as task %s "
                       "lasts, of which the %s remembers every step; label with script or planner",
                       length, episode, most, labeller->spec->task, labeller->expert->name);
}

static void labeller_begin(struct labeller *labeller, const struct store_episode *episode,
                           uint64_t number)
{
    struct behaviour_row *row = &labeller->row;
    if (labeller->spec->hidden_dim > 0) {
        env_set_hidden(labeller->env, episode->hidden);
    }
    env_set_record(labeller->env, episode->physics, episode->observation);
    memset(labeller->action, 0, labeller->spec->action_dim * sizeof(float));
    *row = (struct behaviour_row){
        .env = labeller->env,
        .random = random_stream(0, RANDOM_LABEL, number, 0),
        .context = number,
        .expertise = 1.0,
        .target = labeller->expert->target,
        .action = labeller->action,
    };
    behaviour_begin(labeller->expert, 1);
    behaviour_begin_trial(labeller->expert, row);
}

/* What the store takes: an action as a whole or NaN. */
static void copy_label(float *label, const float *action, size_t dim)
{
    bool is_known = true;
    for (size_t i = 0; i < dim; i++) {
        label[i] = fminf(fmaxf(action[i], -1.0F), 1.0F);
        is_known = is_known && !isnan(action[i]);
    }
    for (size_t i = 0; i < dim && !is_known; i++) {
        label[i] = NAN;
    }
}

const float *labeller_label(struct labeller *labeller, const struct store_episode *episode,
                            uint64_t number)
{
    const struct env_spec *spec = labeller->spec;
    struct behaviour_row *row = &labeller->row;
    labeller->label = memory_reserve(labeller->label, &labeller->label_capacity,
                                     episode->length * spec->action_dim * sizeof(float));
    labeller_begin(labeller, episode, number);
    for (size_t t = 0; t < episode->length; t++) {
        env_set_physics(labeller->env, episode->physics + t * spec->physics_dim);
        row->observation = episode->observation + t * spec->observation_dim;
        labeller->expert->act(labeller->expert, row, 1);
        copy_label(labeller->label + t * spec->action_dim, row->action, spec->action_dim);
        memcpy(row->action, episode->action + t * spec->action_dim,
               spec->action_dim * sizeof(float));
        behaviour_record(row, (struct env_outcome){.reward = episode->reward[0][t]});
    }
    return labeller->label;
}
