/* All domains and their tasks by name. Adding a domain is one line in registry.c. */
#ifndef CHAINRING_ENVS_REGISTRY_H
#define CHAINRING_ENVS_REGISTRY_H

#include <stddef.h>

#include "base/fatal.h"
#include "envs/domain.h"

/* A task and the domain that it belongs to. */
struct registry_entry {
    const struct domain *domain;
    const struct domain_task *task;
};

/* The tasks in order, domain after domain; task is NULL after the last. Local. */
struct registry_entry registry_at(size_t index);

/* By name; task is NULL and a failure (EXIT_CODE_CONFIG) names the nearest where there is none. */
struct registry_entry registry_find(const char *name, struct failure *failure);

#endif
