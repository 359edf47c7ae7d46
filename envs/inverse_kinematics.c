#include "envs/inverse_kinematics.h"

#include <math.h>

#include "envs/symmetric.h"

enum { AXES = 3, ERRORS = 2 * AXES, STEPS_MAX = 100 };
enum {
    JOINTS_MAX = INVERSE_KINEMATICS_JOINTS_MAX,
    VELOCITIES_MAX = INVERSE_KINEMATICS_VELOCITIES_MAX
};

_Static_assert((int)JOINTS_MAX <= (int)SYMMETRIC_SIZE_MAX, "a step solves for all joints at once");

static const double tolerance = 1e-14;
static const double metres_per_radian = 2.0;
static const double far = 0.1, damping = 0.03; /* steps from further away are damped */
static const double stuck_ratio = 20.0;        /* times as far away as a step is long */
static const double step_max = 2.0;            /* radians, all joints together */

static double norm_of(const double *values, size_t count)
{
    double squares = 0.0;
    for (size_t i = 0; i < count; i++) {
        squares += values[i] * values[i];
    }
    return sqrt(squares);
}

/* What is missing in metres, then in radians; returns how far away that is. */
static double measure_error(double error[ERRORS], const struct simulation *simulation,
                            const struct inverse_kinematics_target *target)
{
    const double *position = simulation_view(simulation)->sensor[target->site];
    for (size_t i = 0; i < AXES; i++) {
        error[i] = target->position[i] - position[i];
    }
    simulation_site_rotation_error(simulation, target->site, target->orientation, error + AXES);
    return norm_of(error, AXES) + metres_per_radian * norm_of(error + AXES, AXES);
}

/* The least squares solution of jacobian * step = error, over the first `joints` joints. */
static void find_step(double *step, const struct simulation *simulation, size_t site,
                      const double error[ERRORS], double ridge, size_t joints)
{
    double jacobian[ERRORS * VELOCITIES_MAX];
    double matrix[JOINTS_MAX * JOINTS_MAX], right[JOINTS_MAX];
    size_t width = simulation_sizes(simulation)->velocity;
    simulation_site_jacobian(simulation, site, jacobian);
    for (size_t i = 0; i < joints; i++) {
        right[i] = 0.0;
        for (size_t e = 0; e < ERRORS; e++) {
            right[i] += jacobian[e * width + i] * error[e];
        }
        for (size_t j = 0; j < joints; j++) {
            double sum = 0.0;
            for (size_t e = 0; e < ERRORS; e++) {
                sum += jacobian[e * width + i] * jacobian[e * width + j];
            }
            matrix[i * joints + j] = sum;
        }
    }
    symmetric_solve(step, matrix, ridge, right, joints);
}

bool inverse_kinematics_reach(struct simulation *simulation,
                              const struct inverse_kinematics_target *target, size_t joints)
{
    double *position, *velocity;
    invariant(joints <= JOINTS_MAX && simulation_sizes(simulation)->velocity <= VELOCITIES_MAX);
    simulation_state(simulation, &position, &velocity);
    for (size_t i = 0; i < STEPS_MAX; i++) {
        double error[ERRORS], step[JOINTS_MAX];
        simulation_kinematics(simulation);
        double away = measure_error(error, simulation, target);
        if (away < tolerance) {
            return true;
        }
        double ridge = away > far ? damping : 0.0;
        find_step(step, simulation, target->site, error, ridge, joints);
        double length = norm_of(step, joints);
        if (away > stuck_ratio * length) {
            return false;
        }
        double scale = length > step_max ? step_max / length : 1.0;
        for (size_t j = 0; j < joints; j++) {
            position[j] += scale * step[j];
        }
    }
    return false;
}
