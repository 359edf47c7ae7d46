#include "cli/task_list.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "envs/env.h"

/* --- Text ------------------------------------------------------------------------------------- */

static void print_heading(FILE *out)
{
    fprintf(out, "%-34s %-16s %11s %6s %7s %6s %5s %9s %6s\n", "task", "domain", "observation",
            "action", "physics", "hidden", "steps", "step in s", "script");
}

static void print_task_row(FILE *out, const struct env_spec *spec)
{
    fprintf(out, "%-34s %-16s %11zu %6zu %7zu %6zu %5zu %9g %6s\n", spec->task, spec->domain,
            spec->observation_dim, spec->action_dim, spec->physics_dim, spec->hidden_dim,
            spec->steps_max, spec->control_timestep, spec->has_script ? "yes" : "no");
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *task_count_json(size_t count)
{
    return json_integer((json_int_t)count);
}

static json_t *task_spec_json(const struct env_spec *spec)
{
    json_t *object = json_object();
    json_object_set_new(object, "task", json_string(spec->task));
    json_object_set_new(object, "domain", json_string(spec->domain));
    json_object_set_new(object, "observation_dim", task_count_json(spec->observation_dim));
    json_object_set_new(object, "action_dim", task_count_json(spec->action_dim));
    json_object_set_new(object, "physics_dim", task_count_json(spec->physics_dim));
    json_object_set_new(object, "hidden_dim", task_count_json(spec->hidden_dim));
    json_object_set_new(object, "steps", task_count_json(spec->steps_max));
    json_object_set_new(object, "control_timestep", json_real(spec->control_timestep));
    json_object_set_new(object, "script", json_boolean(spec->has_script));
    return object;
}

static void print_tasks_json(FILE *out, json_t *tasks)
{
    json_t *object = json_object();
    json_object_set_new(object, "simulator", json_string(env_simulator()));
    json_object_set_new(object, "tasks", tasks);
    bool is_done = object && json_dumpf(object, out, JSON_INDENT(2) | JSON_REAL_PRECISION(15)) == 0;
    if (!is_done && !ferror(out)) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused room for a JSON text");
    }
    fputc('\n', out);
    json_decref(object);
}

/* --- What is called --------------------------------------------------------------------------- */

static bool task_list_finish(FILE *out, struct failure *failure)
{
    if (fflush(out) == 0 && !ferror(out)) {
        return true;
    }
    return failure_set(
        failure, EXIT_CODE_IO,
        "the output cannot be written (%s), expected room for it; check where it goes",
        strerror(errno));
}

/* One task, to `out` or, where there is one, to the list. */
static bool print_task(FILE *out, json_t *list, const char *name, struct failure *failure)
{
    struct env_task *task = env_task_open(name, failure);
    if (!task) {
        return false;
    }
    if (list) {
        json_array_append_new(list, task_spec_json(env_task_spec(task)));
    } else {
        print_task_row(out, env_task_spec(task));
    }
    env_task_close(task);
    return true;
}

bool task_list_print(FILE *out, bool is_json, struct failure *failure)
{
    json_t *list = is_json ? json_array() : NULL;
    if (!is_json) {
        print_heading(out);
    }
    for (size_t index = 0; env_task_name(index); index++) {
        if (!print_task(out, list, env_task_name(index), failure)) {
            json_decref(list);
            return false;
        }
    }
    if (is_json) {
        print_tasks_json(out, list);
    }
    return task_list_finish(out, failure);
}
