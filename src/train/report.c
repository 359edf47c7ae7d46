#include "train/report.h"

#include <math.h>
#include <stdio.h>

#include "base/clock.h"

static const double mebibyte = 1048576.0;

static void begin_interval(struct report *report)
{
    report->begun = clock_seconds();
    report->loss_sum = report->tokens = report->flops = 0.0;
    report->timer = (struct step_timer){0};
    report->steps = report->steps_with_loss = 0;
}

void report_open(struct report *report, const char *metrics_path, uint64_t done, uint64_t total,
                 size_t log_every, double peak)
{
    *report = (struct report){.log_every = log_every, .peak = peak};
    metrics_open(&report->metrics, metrics_path, done);
    report->progress = progress_begin("train", done, total);
    begin_interval(report);
    report->opened = report->begun;
}

void report_close(struct report *report)
{
    metrics_close(&report->metrics);
}

/* What the steps' own timers leave out passed between the steps. */
static struct step_timer complete(const struct step_timer *timer, double seconds)
{
    struct step_timer whole = *timer;
    whole.seconds[STEP_TIMER_OTHER] += seconds - step_timer_total(timer);
    return whole;
}

/* `, "compute_share": 0.93, ...` */
static void write_shares(char *text, size_t size, const struct step_timer *timer, double seconds)
{
    size_t used = 0;
    for (enum step_timer_part part = 0; part < STEP_TIMER_PARTS && used < size; part++) {
        used += (size_t)snprintf(text + used, size - used, ", \"%s_share\": %.4g",
                                 step_timer_key(part), timer->seconds[part] / seconds);
    }
}

/* `, "name": value`, null for NaN. */
static void write_number(char *text, size_t size, const char *name, double value)
{
    if (isnan(value)) {
        snprintf(text, size, ", \"%s\": null", name);
    } else {
        snprintf(text, size, ", \"%s\": %.17g", name, value);
    }
}

/* The loss and the norm are this step's own, so that a resumed run writes the same numbers. */
static void write_metrics(struct report *report, uint64_t number, const struct learner_step *step,
                          double tokens_seen, double seconds)
{
    char line[1024];
    char loss[64];
    char shares[512];
    struct step_timer timer = complete(&report->timer, seconds);
    write_number(loss, sizeof loss, "loss", step->loss);
    write_shares(shares, sizeof shares, &timer, seconds);
    snprintf(line, sizeof line,
             "{\"step\": %llu%s, \"gradient_norm\": %.17g, \"rate\": %.9g, "
             "\"tokens\": %.0f, \"tokens_per_second\": %.6g, \"gemm_share\": %.4g, "
             "\"seconds_per_step\": %.4g, \"memory_mib\": %.1f%s}",
             (unsigned long long)number, loss, step->gradient_norm, step->rate, tokens_seen,
             report->tokens / seconds, report->flops / seconds / report->peak,
             seconds / (double)report->steps, step->memory / mebibyte, shares);
    metrics_append(&report->metrics, line);
}

void report_step(struct report *report, uint64_t number, const struct learner_step *step,
                 double tokens_seen)
{
    bool has_loss = !isnan(step->loss);
    report->loss_sum += has_loss ? step->loss : 0.0;
    report->steps_with_loss += has_loss;
    report->tokens += step->tokens;
    report->flops += step->flops;
    step_timer_add(&report->timer, &step->timer);
    step_timer_add(&report->timer_sum, &step->timer);
    report->steps++;
    double seconds = clock_seconds() - report->begun;
    char loss[64] = "no label was known", detail[256];
    if (report->steps_with_loss > 0) {
        snprintf(loss, sizeof loss, "loss %.5f",
                 report->loss_sum / (double)report->steps_with_loss);
    }
    snprintf(detail, sizeof detail,
             "%s, gradient %.3f, %.0f tokens/s, %.1f%% of GEMM peak, %.0f MiB", loss,
             step->gradient_norm, report->tokens / seconds,
             100.0 * report->flops / seconds / report->peak, step->memory / mebibyte);
    progress_show(&report->progress, number, detail);
    if (number % report->log_every == 0 || number == report->progress.total) {
        write_metrics(report, number, step, tokens_seen, seconds);
        begin_interval(report);
    }
}

void report_evaluation(struct report *report, uint64_t number, double validation_loss,
                       double last_trial, double seconds)
{
    char loss[64], trial[64], line[192];
    write_number(loss, sizeof loss, "validation_loss", validation_loss);
    write_number(trial, sizeof trial, "last_trial", last_trial);
    snprintf(line, sizeof line, "{\"step\": %llu%s%s}", (unsigned long long)number, loss, trial);
    metrics_append(&report->metrics, line);
    report->begun += seconds;
    report->opened += seconds;
}

void report_summary(const struct report *report, uint64_t done)
{
    double seconds = clock_seconds() - report->opened;
    size_t steps = done - report->progress.done_before;
    if (steps == 0) {
        return; /* only an evaluation was made up */
    }
    struct step_timer timer = complete(&report->timer_sum, seconds);
    char text[512];
    size_t used = 0;
    for (enum step_timer_part part = 0; part < STEP_TIMER_PARTS && used < sizeof text; part++) {
        used +=
            (size_t)snprintf(text + used, sizeof text - used, "%s%s %.1f%%", part > 0 ? ", " : "",
                             step_timer_words(part), 100.0 * timer.seconds[part] / seconds);
    }
    log_line("%zu steps in %.1f s: %s", steps, seconds, text);
}
