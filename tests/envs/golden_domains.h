/* Every domain that there are golden numbers for. */
#ifndef CHAINRING_TESTS_ENVS_GOLDEN_DOMAINS_H
#define CHAINRING_TESTS_ENVS_GOLDEN_DOMAINS_H

#include "tests/envs/golden_ball_in_cup.h"
#include "tests/envs/golden_cartpole.h"
#include "tests/envs/golden_cheetah.h"
#include "tests/envs/golden_finger.h"
#include "tests/envs/golden_hopper.h"
#include "tests/envs/golden_jaco.h"
#include "tests/envs/golden_pendulum.h"
#include "tests/envs/golden_point_mass.h"
#include "tests/envs/golden_point_mass_maze.h"
#include "tests/envs/golden_quadruped.h"
#include "tests/envs/golden_reacher.h"
#include "tests/envs/golden_walker.h"

static const struct golden_domain *const golden_domains[] = {
    &golden_ball_in_cup,     &golden_cartpole,  &golden_cheetah,  &golden_finger,
    &golden_hopper,          &golden_jaco,      &golden_pendulum, &golden_point_mass,
    &golden_point_mass_maze, &golden_quadruped, &golden_reacher,  &golden_walker};

enum { GOLDEN_DOMAINS = sizeof golden_domains / sizeof golden_domains[0] };

#endif
