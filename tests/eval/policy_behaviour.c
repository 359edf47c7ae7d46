/* What a rollout feeds to the decoder is what training would show the model of the same episodes.
 */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "comm/comm.h"
#include "comm/ring.h"
#include "eval/policy_behaviour.h"
#include "eval/rollout.h"
#include "model/transformer.h"
#include "tests/eval/listener.h"
#include "tests/eval/untrained.h"
#include "tests/support/layouts.h"
#include "tests/support/support_mpi.h"

enum { CONTEXTS = 7, TRIALS = LISTENER_TRIALS_MAX, BATCH = 3, RETURNS = CONTEXTS * TRIALS };

static const double target = 2.0;
static const uint64_t seed = 9;

struct fixture {
    struct untrained untrained;
    struct listener listener;
    double returns[RETURNS];
    double explore[TRIALS];
    /* The model as training has it. */
    struct ring *ring;
    struct workers *workers;
    struct arena arena;
    struct batch batch;
    struct executor executor;
    struct transformer transformer;
};

/* --- Play ------------------------------------------------------------------------------------- */

static void play(struct fixture *fixture)
{
    struct failure failure = {0};
    struct arena arena = {0};
    struct workers *workers = workers_open(2, &failure);
    struct policy_behaviour policy;
    struct policy_behaviour_options options = {
        .shape = &fixture->untrained.policy.shape,
        .scaling = &fixture->untrained.policy.scaling,
        .parameters = &fixture->untrained.parameters,
        .target = target,
        .explore = fixture->explore,
        .decoder = {.context_max = BATCH, .steps_max = LISTENER_STEPS_MAX, .workers = workers},
    };
    policy_behaviour_bind(&policy, &arena, &options);
    arena_open(&arena, arena.peak);
    policy_behaviour_bind(&policy, &arena, &options);
    struct env_task *task = env_task_open("made_up", &failure);
    struct rollout *rollout = rollout_open(task, BATCH, workers);
    struct rollout_options rollout_options = {
        .contexts = CONTEXTS, .stride = 1, .trials = TRIALS, .seed = seed};
    struct behaviour behaviour = listener_of(&fixture->listener, policy_behaviour_of(&policy));
    struct progress progress = progress_begin("rollout", 0, SIZE_MAX);
    rollout_run(fixture->returns, rollout, &rollout_options, &behaviour, &progress);
    rollout_close(rollout);
    workers_close(workers);
    env_task_close(task);
    arena_close(&arena);
}

static void fixture_open(struct fixture *fixture, const char *tokens, const double *explore)
{
    struct untrained_options options = {
        .domain = "made_up",
        .task = "made_up",
        .tokens = tokens,
        .observation_dim = MADE_UP_OBSERVATION_DIM,
        .action_dim = MADE_UP_ACTION_DIM,
        .time_max = MADE_UP_STEPS_MAX,
        .trial_max = TRIALS,
    };
    memset(fixture, 0, sizeof *fixture);
    memcpy(fixture->explore, explore, sizeof fixture->explore);
    untrained_open(&fixture->untrained, &options);
    play(fixture);
}

/* --- Recorded episodes as a batch ------------------------------------------------------------- */

static void bind_model(struct fixture *fixture)
{
    const struct model_shape *shape = &fixture->untrained.policy.shape;
    struct transformer_options options = {
        .rows_max = partition_rows_max(PARTITION_ZIGZAG, 1, CONTEXTS, LISTENER_STEPS_MAX),
        .contexts_max = CONTEXTS,
        .attention.attention = {.query_block = 32, .key_block = 64},
    };
    batch_bind(&fixture->batch, &fixture->arena, (struct mesh_position){.ring_size = 1}, CONTEXTS,
               LISTENER_STEPS_MAX, shape->observation_dim, shape->action_space.dim);
    executor_bind(&fixture->executor, &fixture->arena, shape, EXECUTOR_TRAINING, fixture->workers,
                  NULL);
    transformer_bind(&fixture->transformer, &fixture->arena, &options, fixture->ring,
                     &fixture->executor);
}

/* A step as the loader would describe it, were the trials episodes of a chain with this target. */
static void describe(struct steps *steps, size_t row, const struct heard_context *context, size_t i,
                     double return_so_far, double value)
{
    const struct heard_step *step = &context->steps[i];
    bool is_last = i + 1 == context->count || context->steps[i + 1].time == 0;
    bool has_reward = i + 1 < context->count;
    for (size_t j = 0; j < MADE_UP_OBSERVATION_DIM; j++) {
        double mean = 0.1 * (double)j;
        double deviation = 0.5 + 0.1 * (double)j;
        steps->observation[row * MADE_UP_OBSERVATION_DIM + j] =
            (real)(((double)step->observation[j] - mean) / deviation);
    }
    for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
        steps->action[row * MADE_UP_ACTION_DIM + j] = (real)step->action[j];
    }
    steps->return_to_go[row] = (real)((target - return_so_far) / 7.0);
    steps->reward[row] = has_reward ? (real)((double)listener_reward(context, i) / 0.7) : 0;
    steps->done[row] = is_last && value >= target ? 1 : 0;
    steps->time[row] = (uint32_t)step->time;
    steps->trial[row] = (uint32_t)step->trial;
}

static void fill_batch(struct fixture *fixture)
{
    struct batch *batch = &fixture->batch;
    size_t lengths[CONTEXTS];
    for (size_t c = 0; c < CONTEXTS; c++) {
        lengths[c] = fixture->listener.contexts[c].count;
        batch->samples[c] = c;
    }
    partition_cut(&batch->partition, lengths, CONTEXTS);
    const struct shard *shard = batch_shard(batch);
    assert_int_equal(shard->segment_count, CONTEXTS);
    for (size_t c = 0; c < CONTEXTS; c++) {
        const struct heard_context *context = &fixture->listener.contexts[c];
        double return_so_far = 0.0;
        for (size_t i = 0; i < context->count; i++) {
            double value = fixture->returns[c * TRIALS + context->steps[i].trial];
            return_so_far = context->steps[i].time == 0 ? 0.0 : return_so_far;
            describe(&batch->steps, shard->segments[c].row + i, context, i, return_so_far, value);
            return_so_far += i + 1 < context->count ? (double)listener_reward(context, i) : 0.0;
        }
    }
}

/* --- Both must agree -------------------------------------------------------------------------- */

/* The noise that a trial's steps have had, drawn again from its stream. */
static void expect_executed(const struct fixture *fixture, size_t c, const real *predicted)
{
    const struct heard_context *context = &fixture->listener.contexts[c];
    struct random random;
    for (size_t i = 0; i < context->count; i++) {
        const struct heard_step *step = &context->steps[i];
        if (step->time == 0) {
            random = random_stream(seed, RANDOM_EXPLORE, c, step->trial);
        }
        for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
            double expected = (double)predicted[i * MADE_UP_ACTION_DIM + j];
            if (fixture->explore[step->trial] > 0.0) {
                expected += fixture->explore[step->trial] * random_normal(&random);
            }
            expected = fmin(fmax(expected, -1.0), 1.0);
            support_expect_near((double)step->action[j], expected, 1e-5);
        }
    }
}

static void expect_policy_acts_as_trained(const char *tokens, const double *explore)
{
    static struct fixture fixture;
    fixture_open(&fixture, tokens, explore);
    struct failure failure = {0};
    fixture.ring = ring_open(1, 0);
    fixture.workers = workers_open(2, &failure);
    fatal_if_failed(&failure);
    bind_model(&fixture);
    arena_open(&fixture.arena, fixture.arena.peak);
    bind_model(&fixture);
    fill_batch(&fixture);
    transformer_forward(&fixture.transformer, &fixture.untrained.parameters, &fixture.batch, NULL);
    const struct shard *shard = batch_shard(&fixture.batch);
    for (size_t c = 0; c < CONTEXTS; c++) {
        assert_int_equal(shard->segments[c].context, c);
        expect_executed(&fixture, c,
                        fixture.transformer.predicted +
                            shard->segments[c].row * MADE_UP_ACTION_DIM);
    }
    batch_close(&fixture.batch);
    transformer_close(&fixture.transformer);
    arena_close(&fixture.arena);
    workers_close(fixture.workers);
    ring_close(fixture.ring);
    untrained_close(&fixture.untrained);
}

static const double no_noise[TRIALS] = {0.0};
static const double noise[TRIALS] = {0.7, 0.0, 0.2};

static void test_decoder_is_fed_what_training_shows_the_model_in_every_layout(void **state)
{
    (void)state;
    static char layouts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE];
    size_t count = layouts_all(layouts);
    assert_int_equal(count, 81);
    for (size_t i = 0; i < count; i++) {
        expect_policy_acts_as_trained(layouts[i], no_noise);
    }
}

static void test_noisy_actions_are_those_that_the_context_holds(void **state)
{
    (void)state;
    expect_policy_acts_as_trained("R,s,a,r,d", noise);
}

static void test_failed_trials_stay_in_the_context(void **state)
{
    (void)state;
    made_up_env_set_failing(0.3);
    expect_policy_acts_as_trained("R,s,a,r,d", noise);
    made_up_env_set_failing(0.0);
}

static void test_policy_without_noise_plays_the_same_again(void **state)
{
    (void)state;
    static struct fixture one, other, noisy;
    fixture_open(&one, "R,s,a,r,d", no_noise);
    fixture_open(&other, "R,s,a,r,d", no_noise);
    fixture_open(&noisy, "R,s,a,r,d", noise);
    assert_memory_equal(one.returns, other.returns, sizeof one.returns);
    for (size_t i = 0; i < RETURNS; i++) {
        assert_true(one.returns[i] != noisy.returns[i]);
    }
    untrained_close(&one.untrained);
    untrained_close(&other.untrained);
    untrained_close(&noisy.untrained);
}

/* A policy whose numbers are ruined must not look like one that acts at the border. */
static void test_ruined_policy_gives_no_action(void **state)
{
    (void)state;
    static struct fixture fixture;
    fixture_open(&fixture, "R,s,a,r,d", noise);
    struct failure failure = {0};
    struct workers *workers = workers_open(1, &failure);
    struct arena arena = {0};
    struct policy_behaviour policy;
    struct policy_behaviour_options options = {
        .shape = &fixture.untrained.policy.shape,
        .scaling = &fixture.untrained.policy.scaling,
        .parameters = &fixture.untrained.parameters,
        .explore = noise,
        .decoder = {.context_max = 1, .steps_max = 1, .workers = workers},
    };
    policy_behaviour_bind(&policy, &arena, &options);
    arena_open(&arena, arena.peak);
    policy_behaviour_bind(&policy, &arena, &options);
    tensor_reals(&fixture.untrained.parameters.master.views.outer.head.action.bias)[0] = (real)NAN;
    float observation[MADE_UP_OBSERVATION_DIM] = {0};
    float action[MADE_UP_ACTION_DIM] = {0};
    struct behaviour_row row = {.observation = observation,
                                .action = action,
                                .random = random_stream(1, RANDOM_TEST, 0, 0)};
    struct behaviour behaviour = policy_behaviour_of(&policy);
    behaviour.begin(&behaviour, 1);
    behaviour.act(&behaviour, &row, 1);
    assert_true(isnan(action[0]));
    assert_true(action[1] >= -1.0f && action[1] <= 1.0f);
    arena_close(&arena);
    workers_close(workers);
    untrained_close(&fixture.untrained);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder_is_fed_what_training_shows_the_model_in_every_layout),
        cmocka_unit_test(test_noisy_actions_are_those_that_the_context_holds),
        cmocka_unit_test(test_failed_trials_stay_in_the_context),
        cmocka_unit_test(test_policy_without_noise_plays_the_same_again),
        cmocka_unit_test(test_ruined_policy_gives_no_action),
    };
    return support_mpi_run(argc, argv, "policy_behaviour", tests, sizeof tests / sizeof tests[0]);
}
