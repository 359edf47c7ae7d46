#include "envs/linear_feedback.h"

#include <math.h>

/* [1, observation] . gain */
static double answer(const float *gain, const float *observation, size_t count)
{
    double sum = (double)gain[0];
    for (size_t i = 0; i < count; i++) {
        sum += (double)gain[1 + i] * (double)observation[i];
    }
    return sum;
}

void linear_feedback_act(float *action, const struct linear_feedback *feedback,
                         const float *observation, double command)
{
    size_t count = feedback->observation_dim;
    for (size_t i = 0; i < feedback->action_dim; i++) {
        size_t row = i * (1 + count);
        double push = answer(feedback->gain + row, observation, count);
        if (feedback->command) {
            push += command * answer(feedback->command + row, observation, count);
        }
        action[i] = (float)fmin(fmax(push, -1.0), 1.0);
    }
}
