#include "bench/step_subject.h"

#include "bench/random_store.h"
#include "comm/comm.h"

/* A context is a chain of so many trajectories with the walker's observations and actions. */
enum { TRIALS = 4, OBSERVATIONS = 24, ACTIONS = 6 };

static size_t steps_of_trial(const struct bench_step_options *options)
{
    size_t steps = options->length / (TRIALS * options->learner.shape.layout.count);
    return steps > 0 ? steps : 1;
}

static void open_store(struct step_subject *subject, size_t steps, struct failure *failure)
{
    const struct random_store_spec spec = {
        .episodes = TRIALS,
        .steps = steps,
        .observation_dim = OBSERVATIONS,
        .action_dim = ACTIONS,
    };
    struct random_store files;
    random_store_make(&files, &spec, failure);
    if (failure->code == EXIT_CODE_DONE) {
        subject->store = store_open(files.path, failure);
    }
    random_store_remove(&files, failure);
}

void step_subject_open(struct step_subject *subject, const struct bench_step_options *options,
                       struct failure *failure)
{
    size_t steps = steps_of_trial(options);
    size_t ranks = options->ring > 0 ? options->ring : comm_size();
    *subject = (struct step_subject){.options = options->learner};
    subject->options.shape.observation_dim = OBSERVATIONS;
    subject->options.shape.action_dim = ACTIONS;
    subject->options.shape.time_max = steps;
    subject->options.shape.trial_max = TRIALS;
    subject->scaling = scaling_identity(OBSERVATIONS);
    subject->ring = ring_open(ranks, options->neighbours);
    subject->workers = bench_workers_open(options->threads);
    const struct loader_options loader = {
        .chain = {.trials_min = TRIALS, .trials = TRIALS},
        .contexts = ring_group_count(subject->ring),
        .loss = LOADER_LOSS_ALL,
        .seed = options->learner.seed,
    };
    open_store(subject, steps, failure);
    if (failure->code == EXIT_CODE_DONE) {
        subject->loader = loader_open(subject->store, 0, &subject->scaling, &loader, failure);
    }
    comm_agree(failure);
}

void step_subject_close(struct step_subject *subject)
{
    loader_close(subject->loader);
    store_close(subject->store);
    workers_close(subject->workers);
    ring_close(subject->ring);
}
