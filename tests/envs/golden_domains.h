/* Every domain that there are golden numbers for. */
#ifndef CHAINRING_TESTS_ENVS_GOLDEN_DOMAINS_H
#define CHAINRING_TESTS_ENVS_GOLDEN_DOMAINS_H

#include "tests/envs/golden_cartpole.h"
#include "tests/envs/golden_point_mass.h"
#include "tests/envs/golden_quadruped.h"

static const struct golden_domain *const golden_domains[] = {&golden_cartpole, &golden_point_mass,
                                                             &golden_quadruped};

enum { GOLDEN_DOMAINS = sizeof golden_domains / sizeof golden_domains[0] };

#endif
