/* What a run reports about its steps: the progress line for people, metrics.jsonl for programs.
 *
 * Only the rank that logs has a report. */
#ifndef CHAINRING_TRAIN_REPORT_H
#define CHAINRING_TRAIN_REPORT_H

#include <stddef.h>
#include <stdint.h>

#include "base/log.h"
#include "checkpoint/metrics.h"
#include "train/learner.h"

struct report {
    struct metrics metrics;
    struct progress progress;
    double peak;      /* floating-point operations per second of all ranks, at best */
    size_t log_every; /* steps between lines of metrics */
    /* Since the last line of metrics: */
    double begun;
    double loss_sum, tokens, flops;
    struct step_timer timer;
    size_t steps, steps_with_loss;
    /* Since the report was opened: */
    double opened;
    struct step_timer timer_sum;
};

/* Go on after step `done` of `total`; the metrics of later steps are dropped. Local, like all of
 * this file. The caller closes it. */
void report_open(struct report *report, const char *metrics_path, uint64_t done, uint64_t total,
                 size_t log_every, double peak);
void report_close(struct report *report);

/* Step `number` has been evaluated, which took seconds that count for no step; NaN: not measured.
 */
void report_evaluation(struct report *report, uint64_t number, double validation_loss,
                       double last_trial, double seconds);

/* One line on how long the steps took since it was opened, if there were any, and where the time
 * went. */
void report_summary(const struct report *report, uint64_t done);

/* Step `number` is done. tokens_seen: of the whole run. */
void report_step(struct report *report, uint64_t number, const struct learner_step *step,
                 double tokens_seen);

#endif
