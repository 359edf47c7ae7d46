#include "cli/task_list.h"

#include "datasets/report.h"
#include "envs/env.h"

static void print_task_row(FILE *out, const struct env_spec *spec)
{
    char actions[ACTION_SPACE_TEXT_SIZE];
    action_space_print(&spec->actions, actions);
    fprintf(out, "%-34s %-16s %11zu %6zu %7zu %6zu %5zu %9g %6s  %s\n", spec->task, spec->domain,
            spec->observation_dim, spec->action_dim, spec->physics_dim, spec->hidden_dim,
            spec->steps_max, spec->control_timestep, spec->has_script ? "yes" : "no", actions);
}

static json_t *task_spec_json(const struct env_spec *spec)
{
    char actions[ACTION_SPACE_TEXT_SIZE];
    action_space_print(&spec->actions, actions);
    return json_pack("{s:s, s:s, s:I, s:I, s:I, s:I, s:I, s:f, s:b, s:s, s:s}", "task", spec->task,
                     "domain", spec->domain, "observation_dim", (json_int_t)spec->observation_dim,
                     "action_dim", (json_int_t)spec->action_dim, "physics_dim",
                     (json_int_t)spec->physics_dim, "hidden_dim", (json_int_t)spec->hidden_dim,
                     "steps", (json_int_t)spec->steps_max, "control_timestep",
                     spec->control_timestep, "script", (int)spec->has_script, "actions", actions,
                     "simulator", spec->simulator);
}

bool task_list_print(FILE *out, bool is_json, struct failure *failure)
{
    enum { DIGITS = 15 }; /* 0.01 is not to be read as 0.010000000000000000208 */
    json_t *list = json_array();
    if (!is_json) {
        fprintf(out, "%-34s %-16s %11s %6s %7s %6s %5s %9s %6s  %s\n", "task", "domain",
                "observation", "action", "physics", "hidden", "steps", "step in s", "script",
                "actions");
    }
    for (size_t index = 0; env_task_name(index); index++) {
        struct env_task *task = env_task_open(env_task_name(index), failure);
        if (!task) {
            json_decref(list);
            return false;
        }
        if (is_json) {
            json_array_append_new(list, task_spec_json(env_task_spec(task)));
        } else {
            print_task_row(out, env_task_spec(task));
        }
        env_task_close(task);
    }
    json_t *object = json_pack("{s:s, s:o}", "simulator", env_simulator(), "tasks", list);
    if (is_json) {
        report_json(out, object, DIGITS);
    } else {
        json_decref(object);
    }
    return report_finish(out, failure);
}
