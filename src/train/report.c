#include "train/report.h"

#include <stdio.h>

#include "base/clock.h"

static const double mebibyte = 1048576.0;

static void begin_interval(struct report *report)
{
    report->begun = clock_seconds();
    report->loss_sum = report->tokens = report->flops = 0.0;
    report->waited = report->data_wait = 0.0;
    report->steps = 0;
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

/* The loss and the norm are this step's own, so that a resumed run writes the same numbers. */
static void write_metrics(struct report *report, uint64_t number, const struct learner_step *step,
                          double tokens_seen, double seconds)
{
    char line[512];
    snprintf(line, sizeof line,
             "{\"step\": %llu, \"loss\": %.17g, \"gradient_norm\": %.17g, \"rate\": %.9g, "
             "\"tokens\": %.0f, \"tokens_per_second\": %.6g, \"gemm_share\": %.4g, "
             "\"ring_wait_share\": %.4g, \"data_wait_seconds\": %.4g, \"data_wait_share\": %.4g, "
             "\"seconds_per_step\": %.4g, \"memory_mib\": %.1f}",
             (unsigned long long)number, step->loss, step->gradient_norm, step->rate, tokens_seen,
             report->tokens / seconds, report->flops / seconds / report->peak,
             report->waited / seconds, report->data_wait, report->data_wait / seconds,
             seconds / (double)report->steps, step->memory / mebibyte);
    metrics_append(&report->metrics, line);
}

void report_step(struct report *report, uint64_t number, const struct learner_step *step,
                 double tokens_seen)
{
    report->loss_sum += step->loss;
    report->tokens += step->tokens;
    report->flops += step->flops;
    report->waited += step->waited;
    report->data_wait += step->data_wait;
    report->data_wait_sum += step->data_wait;
    report->steps++;
    double seconds = clock_seconds() - report->begun;
    char detail[256];
    snprintf(detail, sizeof detail,
             "loss %.5f, gradient %.3f, %.0f tokens/s, %.1f%% of GEMM peak, %.1f%% waiting for "
             "data, %.0f MiB",
             report->loss_sum / (double)report->steps, step->gradient_norm,
             report->tokens / seconds, 100.0 * report->flops / seconds / report->peak,
             100.0 * report->data_wait / seconds, step->memory / mebibyte);
    progress_show(&report->progress, number, detail);
    if (number % report->log_every == 0 || number == report->progress.total) {
        write_metrics(report, number, step, tokens_seen, seconds);
        begin_interval(report);
    }
}

void report_summary(const struct report *report, uint64_t done)
{
    double seconds = clock_seconds() - report->opened;
    size_t steps = done - report->progress.done_before;
    log_line("%zu steps in %.1f s, of which %.3g s (%.2g%%) waiting for data", steps, seconds,
             report->data_wait_sum, 100.0 * report->data_wait_sum / seconds);
}
