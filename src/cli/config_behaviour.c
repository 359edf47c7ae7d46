#include "cli/config_behaviour.h"

#include <string.h>

#include "base/memory.h"
#include "behaviours/ornstein_uhlenbeck.h"
#include "behaviours/planner.h"
#include "behaviours/random_actions.h"
#include "behaviours/script.h"
#include "behaviours/searcher.h"
#include "cli/config_map.h"
#include "cli/config_option.h"
#include "comm/comm.h"

static bool open_planner(struct behaviour *behaviour, const struct env_task *task,
                         const struct config_planner *config, struct failure *failure)
{
    struct planner_options options = {
        .samples = config->samples,
        .horizon = config->horizon,
        .points = config->points,
        .order = (enum spline_order)config->spline,
        .deviation = config->spread,
        .timestep = config->timestep,
        .start = (enum planner_start)config->start,
        .every = config->every,
        .threads = comm_threads(config->threads),
    };
    planner_set_defaults(&options, env_task_spec(task));
    return planner_open(behaviour, task, &options, 1, failure);
}

/* --- Trained policies ------------------------------------------------------------------------- */

/* How a policy acts, alone in one context. */
struct policy_use {
    const char *run, *checkpoint;
    size_t trials;
    const char *target;
    double margin;
};

static bool check_trials(const struct saved_policy *trained, size_t trials, struct failure *failure)
{
    size_t most = trained->policy.shape.trial_max;
    return trials <= most ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "collect.episodes: found %zu, expected at most %zu, the trials of the "
                       "longest contexts that the policy in %s was trained on; lower it",
                       trials, most, trained->path);
}

/* Its exploration is set. */
static void open_policy(struct config_behaviour *opened, const struct env_task *task,
                        const struct policy_use *use, const struct config *config)
{
    struct failure failure = {0};
    double target, added;
    config_target(&target, "collect.target", use->target, &failure);
    comm_agree(&failure);
    trained_policy_find(&opened->trained, use->run, use->checkpoint);
    struct trained_policy_options options = {
        .contexts = 1,
        .trials = use->trials,
        .target = trained_policy_target(&added, &opened->trained, target, use->margin),
        .explore = opened->explore,
        .samples = opened->samples,
        .kernel = (enum attention_choice)config->attention.kernel,
        .dtype = config_eval_dtype(config),
    };
    if (trained_policy_check(&opened->trained, env_task_spec(task), &failure) &&
        check_trials(&opened->trained, use->trials, &failure)) {
        trained_policy_check_exploration(&opened->trained, &options, "collect", &failure);
    }
    options.workers = opened->workers = workers_open(1, &failure);
    comm_agree(&failure);
    trained_policy_open(&opened->behaviour, &opened->trained, env_task_spec(task), &options);
}

static void open_collecting_policy(struct config_behaviour *opened, const struct env_task *task,
                                   const struct config *config)
{
    const struct config_collect *collect = &config->collect;
    struct failure failure = {0};
    if (collect->run[0] == '\0' && !strchr(collect->checkpoint, '/')) {
        failure_set(&failure, EXIT_CODE_CONFIG,
                    "collect.run: found no run, expected the folder of one whose policy acts");
    }
    opened->explore = memory_take(collect->episodes, sizeof *opened->explore);
    opened->samples = memory_take(collect->episodes, sizeof *opened->samples);
    config_sample(opened->samples, collect->episodes, "collect.sample", collect->sample, &failure);
    config_explore(opened->explore, opened->samples, collect->episodes, "collect.explore",
                   collect->explore, &failure);
    config_list_fits("collect.explore", collect->explore, collect->episodes, "episode of a group",
                     &failure);
    config_list_fits("collect.sample", collect->sample, collect->episodes, "episode of a group",
                     &failure);
    comm_agree(&failure);
    const struct policy_use use = {.run = collect->run,
                                   .checkpoint = collect->checkpoint,
                                   .trials = collect->episodes,
                                   .target = collect->target,
                                   .margin = collect->target_margin};
    open_policy(opened, task, &use, config);
}

/* --- Who collects ----------------------------------------------------------------------------- */

static bool open_alone(struct behaviour *behaviour, const struct env_task *task,
                       const struct config *config, struct failure *failure)
{
    const struct config_collect *collect = &config->collect;
    const struct env_spec *spec = env_task_spec(task);
    struct noise_options noise = {.deviation = collect->noise, .coefficient = collect->coefficient};
    switch ((enum config_policy)collect->policy) {
    case CONFIG_POLICY_SCRIPT:
        return script_open(behaviour, spec, &noise, 1, failure);
    case CONFIG_POLICY_RANDOM:
        *behaviour = random_actions_open(spec);
        return true;
    case CONFIG_POLICY_ORNSTEIN_UHLENBECK:
        return ornstein_uhlenbeck_open(behaviour, spec, &noise, 1, failure);
    case CONFIG_POLICY_PLANNER:
        return open_planner(behaviour, task, &config->planner, failure);
    case CONFIG_POLICY_SEARCHER:
        return searcher_open(behaviour, spec, 1, failure);
    case CONFIG_POLICY_CHECKPOINT:
        break; /* opened by all ranks together */
    }
    invariant(!"a policy that there is");
    return false;
}

void config_behaviour_open(struct config_behaviour *opened, const struct env_task *task,
                           const struct config *config)
{
    struct failure failure = {0};
    *opened = (struct config_behaviour){0};
    if (config->collect.policy == CONFIG_POLICY_CHECKPOINT) {
        open_collecting_policy(opened, task, config);
    } else {
        open_alone(&opened->behaviour, task, config, &failure);
    }
    comm_agree(&failure);
}

/* --- Whose actions are labels ----------------------------------------------------------------- */

static const char checkpoint_prefix[] = "checkpoint:";

static void open_labelling_policy(struct config_behaviour *opened, const char *run,
                                  const struct env_task *task, const struct config *config)
{
    const struct policy_use use = {
        .run = run, .checkpoint = "", .trials = 1, .target = "best", .margin = 0.05};
    opened->explore = memory_take(use.trials, sizeof *opened->explore);
    opened->samples = memory_take(use.trials, sizeof *opened->samples);
    open_policy(opened, task, &use, config);
}

/* Can the expert of that name label in the task? */
static bool check_expert(const char *option, const char *name, const struct env_spec *spec,
                         struct failure *failure)
{
    bool is_script = strcmp(name, "script") == 0, is_planner = strcmp(name, "planner") == 0;
    bool is_policy = strncmp(name, checkpoint_prefix, sizeof checkpoint_prefix - 1) == 0;
    if (is_script && !spec->has_script) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found script, expected planner or checkpoint:RUN, as task %s has "
                           "no script",
                           option, spec->task);
    }
    if (is_planner && spec->actions.kind != ACTION_CONTINUOUS) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found planner, expected script or checkpoint:RUN, as the actions "
                           "of task %s are categorical",
                           option, spec->task);
    }
    if (is_policy && name[sizeof checkpoint_prefix - 1] == '\0') {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found \"%s\" without a run, expected checkpoint:RUN, RUN being "
                           "the folder of one whose policy labels",
                           option, name);
    }
    return is_script || is_planner || is_policy ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found \"%s\", expected script, planner or checkpoint:RUN", option,
                       name);
}

void config_expert_open(struct config_behaviour *opened, enum config_option_id id,
                        const struct env_task *task, const struct config *config)
{
    static const struct noise_options quiet = {0};
    struct failure failure = {0};
    const char *name =
        id == CONFIG_OPTION_collect_label ? config->collect.label : config->convert.label;
    *opened = (struct config_behaviour){0};
    check_expert(config_option_at(id)->name, name, env_task_spec(task), &failure);
    comm_agree(&failure);
    if (strcmp(name, "script") == 0) {
        script_open(&opened->behaviour, env_task_spec(task), &quiet, 1, &failure);
    } else if (strcmp(name, "planner") == 0) {
        open_planner(&opened->behaviour, task, &config->planner, &failure);
    } else {
        open_labelling_policy(opened, name + sizeof checkpoint_prefix - 1, task, config);
    }
    comm_agree(&failure);
}

void config_behaviour_close(struct config_behaviour *opened)
{
    behaviour_close(&opened->behaviour);
    workers_close(opened->workers);
    memory_free(opened->explore);
    memory_free(opened->samples);
}
