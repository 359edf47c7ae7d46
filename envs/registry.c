#include "envs/registry.h"

#include <stdint.h>
#include <string.h>

#include "base/nearest.h"

/* Every domain: the folder of its name defines `const struct domain NAME_domain`. */
#define DOMAINS(X)                                                                                 \
    X(ball_in_cup)                                                                                 \
    X(cartpole)                                                                                    \
    X(cheetah)                                                                                     \
    X(dark_room)                                                                                   \
    X(finger)                                                                                      \
    X(hopper)                                                                                      \
    X(jaco)                                                                                        \
    X(key_to_door)                                                                                 \
    X(pendulum)                                                                                    \
    X(point_mass)                                                                                  \
    X(point_mass_maze)                                                                             \
    X(quadruped)                                                                                   \
    X(reacher)                                                                                     \
    X(walker)

#define DECLARE(name) extern const struct domain name##_domain;
DOMAINS(DECLARE)

#define LIST(name) &name##_domain,
static const struct domain *const domains[] = {DOMAINS(LIST)};

struct registry_entry registry_at(size_t index)
{
    for (size_t i = 0; i < sizeof domains / sizeof domains[0]; i++) {
        if (index < domains[i]->task_count) {
            return (struct registry_entry){.domain = domains[i], .task = &domains[i]->tasks[index]};
        }
        index -= domains[i]->task_count;
    }
    return (struct registry_entry){0};
}

struct registry_entry registry_find(const char *name, struct failure *failure)
{
    const char *nearest = NULL;
    size_t fewest = SIZE_MAX;
    for (size_t i = 0;; i++) {
        struct registry_entry entry = registry_at(i);
        if (!entry.task) {
            break;
        }
        if (strcmp(entry.task->name, name) == 0) {
            return entry;
        }
        size_t edits = nearest_edits(name, entry.task->name);
        if (edits < fewest) {
            fewest = edits;
            nearest = entry.task->name;
        }
    }
    failure_set(failure, EXIT_CODE_CONFIG,
                "task: found \"%.80s\", expected a task that exists; did you mean \"%s\"? "
                "chainring inspect --tasks lists all",
                name, nearest);
    return (struct registry_entry){0};
}
