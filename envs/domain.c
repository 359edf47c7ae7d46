#include "envs/domain.h"

#include <math.h>

void domain_randomise_joints(struct simulation *simulation, struct random *random)
{
    double *position, *velocity;
    simulation_state(simulation, &position, &velocity);
    for (size_t i = 0; i < simulation_sizes(simulation)->joints; i++) {
        struct simulation_joint joint = simulation_joint(simulation, i);
        invariant(joint.kind == SIMULATION_JOINT_SLIDE || joint.kind == SIMULATION_JOINT_HINGE);
        if (joint.is_limited) {
            position[joint.position] = random_between(random, joint.low, joint.high);
        } else if (joint.kind == SIMULATION_JOINT_HINGE) {
            position[joint.position] = random_between(random, -M_PI, M_PI);
        }
    }
}

/* --- Hidden dynamics -------------------------------------------------------------------------- */

enum { MASS, DAMPING, GRAVITY, FRICTION, FACTORS };

static void domain_draw_factors(double *hidden, struct random *random)
{
    static const double most = 1.5;
    for (size_t i = 0; i < FACTORS; i++) {
        hidden[i] = exp(random_between(random, -log(most), log(most)));
    }
}

static double domain_sane_factor(double factor)
{
    return fmin(fmax(factor, 0.1), 10.0);
}

static void domain_apply_factors(struct simulation *simulation, const double *hidden)
{
    const struct simulation_factors factors = {
        .mass = domain_sane_factor(hidden[MASS]),
        .damping = domain_sane_factor(hidden[DAMPING]),
        .gravity = domain_sane_factor(hidden[GRAVITY]),
        .friction = domain_sane_factor(hidden[FRICTION]),
    };
    simulation_scale(simulation, &factors);
}

const struct domain_hidden domain_hidden_dynamics = {
    .dim = FACTORS, .draw = domain_draw_factors, .apply = domain_apply_factors};
