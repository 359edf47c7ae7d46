#include "optim/schedule.h"

#include <math.h>

static const double pi = 3.14159265358979323846;

double schedule_rate(const struct schedule *schedule, uint64_t step)
{
    if (step < schedule->warmup) {
        return schedule->rate * (double)step / (double)schedule->warmup;
    }
    if (schedule->shape == SCHEDULE_CONSTANT || schedule->steps <= schedule->warmup) {
        return schedule->rate;
    }
    uint64_t last = step < schedule->steps ? step : schedule->steps;
    double share = (double)(last - schedule->warmup) / (double)(schedule->steps - schedule->warmup);
    double cosine = 0.5 * (1.0 + cos(pi * share));
    return schedule->rate * (schedule->floor + (1.0 - schedule->floor) * cosine);
}
