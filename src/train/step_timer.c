#include "train/step_timer.h"

#include "base/clock.h"

static const struct {
    const char *key, *words;
} names[STEP_TIMER_PARTS] = {
    [STEP_TIMER_COMPUTE] = {"compute", "computing"},
    [STEP_TIMER_MESSAGES] = {"exposed_communication", "exposed communication"},
    [STEP_TIMER_RANKS] = {"rank_wait", "slower ranks"},
    [STEP_TIMER_DATA] = {"data_wait", "data"},
    [STEP_TIMER_OPTIMIZER] = {"optimizer", "optimizer"},
    [STEP_TIMER_OTHER] = {"other", "other"},
};

const char *step_timer_key(enum step_timer_part part)
{
    return names[part].key;
}

const char *step_timer_words(enum step_timer_part part)
{
    return names[part].words;
}

void step_timer_start(struct step_timer *timer)
{
    *timer = (struct step_timer){.since = clock_seconds()};
}

void step_timer_lap(struct step_timer *timer, enum step_timer_part part)
{
    double now = clock_seconds();
    timer->seconds[part] += now - timer->since;
    timer->since = now;
}

void step_timer_move(struct step_timer *timer, enum step_timer_part from, enum step_timer_part to,
                     double seconds)
{
    timer->seconds[from] -= seconds;
    timer->seconds[to] += seconds;
}

void step_timer_add(struct step_timer *timer, const struct step_timer *other)
{
    for (size_t part = 0; part < STEP_TIMER_PARTS; part++) {
        timer->seconds[part] += other->seconds[part];
    }
}

double step_timer_total(const struct step_timer *timer)
{
    double total = 0.0;
    for (size_t part = 0; part < STEP_TIMER_PARTS; part++) {
        total += timer->seconds[part];
    }
    return total;
}
