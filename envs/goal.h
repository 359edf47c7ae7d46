/* Where a task wants something to be: a ball in the world, as pictures show it. */
#ifndef CHAINRING_ENVS_GOAL_H
#define CHAINRING_ENVS_GOAL_H

struct goal {
    double place[3]; /* metres */
    double radius;
};

#endif
