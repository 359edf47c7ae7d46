#include "bench/bench.h"

#include <math.h>

#include "bench/fixture.h"
#include "bench/load_balance.h"
#include "bench/measure.h"
#include "comm/comm.h"
#include "train/ring_overlap.h"

/* --- Measuring -------------------------------------------------------------------------------- */

/* What is timed of each direction: all take turns. */
enum { COMPUTE, EXCHANGE, TOGETHER, WORKS };

static void ring_time(double medians[2 * WORKS], struct attention_fixture *alone,
                      struct attention_fixture *shared, size_t repeats)
{
    struct samples samples;
    samples_open(&samples, 2 * WORKS, repeats);
    for (size_t i = 0; i <= repeats; i++) {
        for (size_t j = 0; j < 2 * WORKS; j++) {
            enum ring_direction direction = j < WORKS ? RING_FORWARD : RING_BACKWARD;
            double seconds =
                j % WORKS == EXCHANGE
                    ? attention_fixture_time_exchange(shared, direction)
                    : attention_fixture_time(j % WORKS == COMPUTE ? alone : shared, direction);
            if (i > 0) { /* the first turn warms up */
                samples_of(&samples, j)[i - 1] = seconds;
            }
        }
    }
    samples_slowest(&samples);
    for (size_t j = 0; j < 2 * WORKS; j++) {
        medians[j] = samples_seconds(&samples, j).median;
    }
    samples_close(&samples);
}

/* --- Printing --------------------------------------------------------------------------------- */

/* `medians` are those of a direction. Noise may expose more than there is, or less than nothing;
 * `predicted` is the share of the exchange's time to be hidden. */
static struct table_row ring_row(const char *direction, const double medians[WORKS],
                                 double predicted)
{
    double compute = medians[COMPUTE] / (double)comm_size();
    double exchange = medians[EXCHANGE];
    double together = medians[TOGETHER];
    double exposed = fmax(together - compute, 0.0);
    double hidden = exchange > 0.0 ? fmax(1.0 - exposed / exchange, 0.0) : 1.0;
    return (struct table_row){
        .label = direction,
        .key = direction,
        .values = {compute, exchange, together, exposed, exposed / together, hidden, predicted},
    };
}

static void ring_print_head(struct table_printer *printer, const struct bench_options *options,
                            const struct ring_overlap *overlap, double rate)
{
    const struct learner_options *learner = &options->learner;
    const char *kernel = attention_kernel_name(learner->attention.kernel, learner->dtype,
                                               model_head_width(&learner->shape));
    double tokens = (double)options->length / (double)comm_size();
    fixture_print_options(printer, "ring", options);
    table_number(printer, "bytes_per_second", overlap->bandwidth);
    table_number(printer, "flops_per_second", rate);
    table_number(printer, "tokens", tokens);
    table_number(printer, "tokens_forward", overlap->tokens_forward);
    table_number(printer, "tokens_backward", overlap->tokens_backward);
    table_say(printer,
              "ring of %zu, causal, %zu tokens (%.0f a rank), width %zu, %zu heads; kernels for "
              "%s\n",
              comm_size(), options->length, tokens, learner->shape.width, learner->shape.heads,
              kernel);
    if (overlap->bandwidth > 0.0) {
        table_say(printer,
                  "messages at %.3f GB/s, attention at %.1f GFLOP/s a rank: predicted to be hidden "
                  "from %.0f tokens a rank on, in backward from %.0f\n\n",
                  1e-9 * overlap->bandwidth, 1e-9 * rate, overlap->tokens_forward,
                  overlap->tokens_backward);
    } else {
        table_say(printer, "keys and values are read in place: nothing travels\n\n");
    }
}

static void ring_print(struct table_printer *printer, const struct bench_options *options,
                       const double medians[2 * WORKS], const struct ring_overlap *overlap,
                       double rate)
{
    static const struct table table = {
        .form = TABLE_NESTED,
        .title = "median ms",
        .columns = {{"computing", "compute_seconds", 1e3, 2, ""},
                    {"the link", "link_seconds", 1e3, 2, ""},
                    {"together", "together_seconds", 1e3, 2, ""},
                    {"exposed", NULL, 1e3, 2, ""},
                    {"of step", NULL, 100.0, 1, "%"},
                    {"hidden", "hidden_share", 100.0, 0, "%"},
                    {"predicted", "predicted_share", 100.0, 0, "%"}},
    };
    double tokens = (double)options->length / (double)comm_size();
    const struct table_row rows[] = {
        ring_row("forward", medians, ring_overlap_share(tokens, overlap->tokens_forward)),
        ring_row("backward", medians + WORKS, ring_overlap_share(tokens, overlap->tokens_backward)),
    };
    ring_print_head(printer, options, overlap, rate);
    table_print(printer, &table, rows, sizeof rows / sizeof rows[0]);
}

void bench_ring(struct table_printer *printer, const struct bench_options *options,
                struct failure *failure)
{
    (void)failure;
    double length = (double)options->length;
    double medians[2 * WORKS];
    struct attention_fixture alone, shared;
    struct workers *workers = fixture_workers(options->threads);
    attention_fixture_open(&alone, options, 1, workers);
    attention_fixture_open(&shared, options, comm_size(), workers);
    ring_time(medians, &alone, &shared, options->repeats);
    /* Operations per second of one rank's attention. */
    double rate =
        2.0 * length * (length + 1.0) * (double)options->learner.shape.width / medians[COMPUTE];
    struct ring_overlap overlap = ring_overlap_predict(shared.ring, options->learner.split, rate);
    attention_fixture_close(&shared);
    attention_fixture_close(&alone);
    workers_close(workers);
    struct load_balance zigzag, contiguous;
    load_balance_open(&zigzag, options, PARTITION_ZIGZAG);
    load_balance_open(&contiguous, options, PARTITION_CONTIGUOUS);
    ring_print(printer, options, medians, &overlap, rate);
    load_balance_print(printer, &zigzag, &contiguous);
    load_balance_close(&contiguous);
    load_balance_close(&zigzag);
}
