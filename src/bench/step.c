#include "bench/step.h"

#include <math.h>

#include "base/clock.h"
#include "base/memory.h"
#include "bench/ceiling.h"
#include "bench/resident.h"
#include "bench/step_subject.h"
#include "comm/comm.h"

/* --- Time ------------------------------------------------------------------------------------- */

/* What forward and backward have taken so far. */
static void subtract_parts(double parts[TRANSFORMER_PARTS], const struct transformer *transformer)
{
    for (size_t part = 0; part < TRANSFORMER_PARTS; part++) {
        parts[part] = transformer->seconds[part] - parts[part];
    }
}

/* One step that all ranks begin together; what its ledger does not know is other. */
static double time_step(struct bench_step *result, struct learner *learner, uint64_t number)
{
    comm_barrier();
    double begun = clock_seconds();
    struct learner_step step = learner_step(learner, number);
    double seconds = clock_seconds() - begun;
    step.ledger.seconds[LEDGER_OTHER] += seconds - ledger_total(&step.ledger);
    ledger_add(&result->ledger, &step.ledger);
    result->flops = step.flops;
    return seconds;
}

/* Steps and ceiling by turns. The first step warms up and makes memory real. */
static void time_steps(struct bench_step *result, struct learner *learner, struct ceiling *ceiling)
{
    size_t repeats = result->options.repeats;
    double *seconds = memory_take(repeats, sizeof *seconds);
    time_step(result, learner, 1);
    result->ledger = (struct ledger){.since = 0.0};
    subtract_parts(result->parts, &learner->transformer);
    for (size_t i = 0; i < repeats; i++) {
        ceiling_raise(ceiling);
        seconds[i] = time_step(result, learner, i + 2);
    }
    subtract_parts(result->parts, &learner->transformer);
    comm_sum_double(result->parts, TRANSFORMER_PARTS);
    for (size_t part = 0; part < TRANSFORMER_PARTS; part++) {
        result->parts[part] /= (double)result->ranks;
    }
    result->timing = bench_timing_of(seconds, repeats);
    ceiling_share(ceiling);
    result->multiply_add = ceiling->multiply_add;
    result->gemm = ceiling->gemm;
    memory_free(seconds);
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Of the rank that needs most. */
static void describe_memory(struct bench_step *result, const struct learner *learner, double before)
{
    struct arena arena = learner->arena;
    size_t rows = learner->batches.batch.steps.row_max;
    result->footprint = footprint_of(&result->shape);
    double bytes[] = {footprint_bytes(&result->footprint, &result->shape, rows),
                      (double)(arena.peak + arena.elsewhere), resident_peak() - before,
                      (double)rows};
    comm_max_double(bytes, 4);
    result->kept = bytes[0];
    result->bound = bytes[1];
    result->resident = bytes[2];
    result->rows = (size_t)bytes[3];
}

/* --- What is called --------------------------------------------------------------------------- */

bool bench_step_run(struct bench_step *result, const struct bench_step_options *options,
                    struct failure *failure)
{
    struct step_subject subject;
    step_subject_open(&subject, options, failure);
    const struct model_shape *shape = &subject.options.shape;
    *result = (struct bench_step){
        .options = *options,
        .shape = *shape,
        .ranks = comm_size(),
        .rings = ring_group_count(subject.ring),
        .tokens = shape->time_max * shape->trial_max * shape->layout.count,
    };
    struct learner *learner = memory_take(1, sizeof *learner);
    struct ceiling ceiling;
    ceiling_open(&ceiling, subject.workers);
    ceiling_raise(&ceiling); /* what OpenBLAS takes once is no part of what is measured */
    double before = resident_begin();
    learner_open(learner, &subject.options, subject.loader, subject.ring, subject.workers);
    time_steps(result, learner, &ceiling);
    describe_memory(result, learner, before);
    learner_close(learner);
    ceiling_close(&ceiling);
    memory_free(learner);
    step_subject_close(&subject);
    return failure->code == EXIT_CODE_DONE;
}
