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
