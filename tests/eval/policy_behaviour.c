/* What a rollout feeds to the decoder is what training would show the model of the same episodes.
 */
#include "tests/support/support.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "comm/comm.h"
#include "comm/ring.h"
#include "eval/policy_behaviour.h"
#include "eval/rollout.h"
#include "math/categorical.h"
#include "math/gaussian.h"
#include "model/transformer.h"
#include "tests/eval/listener.h"
#include "tests/eval/untrained.h"
#include "tests/support/layouts.h"
#include "tests/support/support_mpi.h"

enum { CONTEXTS = 7, TRIALS = LISTENER_TRIALS_MAX, BATCH = 3, RETURNS = CONTEXTS * TRIALS };

/* Of categorical actions, MADE_UP_ACTION_DIM together. */
enum { CATEGORICALS = 2 };
static const size_t categories[CATEGORICALS] = {3, 2};

static const double target = 2.0;
static const uint64_t seed = 9;

/* How a policy acts. */
struct acting {
    const char *tokens;
    const double *explore; /* (TRIALS) */
    bool is_categorical, is_gaussian;
    size_t time_max; /* steps of a trial as trained; 0: all that there are */
    size_t window, rewarded_trials;
    bool samples[TRIALS];
};

struct fixture {
    struct acting acting;
    struct untrained untrained;
    struct listener listener;
    double returns[RETURNS];
    /* The model as training has it. */
    struct ring *ring;
    struct workers *workers;
    struct arena arena;
    struct batch batch;
    struct executor executor;
    struct transformer transformer;
};

/* --- Play ------------------------------------------------------------------------------------- */

/* The policy, with memory out of an arena that the caller closes. */
static void open_policy(struct policy_behaviour *policy, struct arena *arena,
                        struct fixture *fixture, struct decoder_options decoder)
{
    struct policy_behaviour_options options = {
        .shape = &fixture->untrained.policy.shape,
        .scaling = &fixture->untrained.policy.scaling,
        .parameters = &fixture->untrained.parameters,
        .target = target,
        .explore = fixture->acting.explore,
        .samples = fixture->acting.samples,
        .window = fixture->acting.window,
        .reward_mask = {fixture->acting.rewarded_trials},
        .decoder = decoder,
    };
    *arena = (struct arena){0};
    policy_behaviour_bind(policy, arena, &options);
    arena_open(arena, arena->peak);
    policy_behaviour_bind(policy, arena, &options);
}

static void play(struct fixture *fixture)
{
    struct failure failure = {0};
    struct arena arena;
    struct workers *workers = workers_open(2, &failure);
    struct policy_behaviour policy;
    open_policy(&policy, &arena, fixture,
                (struct decoder_options){
                    .context_max = BATCH, .steps_max = LISTENER_STEPS_MAX, .workers = workers});
    struct env_task *task = env_task_open("made_up", &failure);
    struct rollout *rollout = rollout_open(task, BATCH, workers);
    struct rollout_options rollout_options = {
        .contexts = CONTEXTS, .stride = 1, .trials = TRIALS, .trials_held = TRIALS, .seed = seed};
    struct behaviour behaviour = listener_of(&fixture->listener, policy_behaviour_of(&policy));
    struct progress progress = progress_begin("rollout", 0, SIZE_MAX);
    rollout_run(fixture->returns, rollout, &rollout_options, &behaviour, &progress);
    rollout_close(rollout);
    workers_close(workers);
    env_task_close(task);
    arena_close(&arena);
}

static void fixture_open(struct fixture *fixture, struct acting acting)
{
    struct untrained_options options = {
        .domain = "made_up",
        .task = "made_up",
        .tokens = acting.tokens,
        .observation_dim = MADE_UP_OBSERVATION_DIM,
        .action_dim = MADE_UP_ACTION_DIM,
        .categoricals = acting.is_categorical ? CATEGORICALS : 0,
        .categories = {categories[0], categories[1]},
        .head = acting.is_gaussian ? ACTION_HEAD_GAUSSIAN : ACTION_HEAD_TANH,
        .time_max = acting.time_max > 0 ? acting.time_max : MADE_UP_STEPS_MAX,
        .trial_max = TRIALS,
    };
    memset(fixture, 0, sizeof *fixture);
    fixture->acting = acting;
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
        .attention = {.query_block = 32, .key_block = 64},
    };
    batch_bind(&fixture->batch, &fixture->arena, (struct mesh_position){.ring_size = 1}, CONTEXTS,
               LISTENER_STEPS_MAX, shape->observation_dim, shape->action_space.dim);
    executor_bind(&fixture->executor, &fixture->arena, shape, DTYPE_REAL, EXECUTOR_TRAINING,
                  fixture->workers, NULL);
    transformer_bind(&fixture->transformer, &fixture->arena, &options, fixture->ring,
                     &fixture->executor);
}

/* A step as the loader would describe it, were the trials episodes of a chain with this target. */
static void describe(struct steps *steps, size_t row, const struct heard_context *context, size_t i,
                     double return_so_far, double value, size_t time_max)
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
    steps->time[row] = (uint32_t)size_min(step->time, time_max - 1);
    steps->trial[row] = (uint32_t)step->trial;
}

/* Nothing seems to have been earned in trials whose rewards are hidden. */
static void hide_rewards(struct steps *steps, size_t row, const struct fixture *fixture)
{
    size_t rewarded = fixture->acting.rewarded_trials;
    if (rewarded > 0 && steps->trial[row] >= rewarded) {
        steps->reward[row] = steps->done[row] = 0;
        steps->return_to_go[row] = (real)(target / 7.0);
    }
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
            size_t row = shard->segments[c].row + i;
            describe(&batch->steps, row, context, i, return_so_far, value,
                     fixture->untrained.policy.shape.time_max);
            hide_rewards(&batch->steps, row, fixture);
            if (i > 0) {
                steps_set_previous(&batch->steps, row, &batch->steps, row - 1);
            } else {
                steps_clear_previous(&batch->steps, row);
            }
            return_so_far += i + 1 < context->count ? (double)listener_reward(context, i) : 0.0;
        }
    }
}

/* Each context is its last steps up to step `end`, at most the window. */
static void fill_windows(struct fixture *fixture, size_t end)
{
    struct batch *batch = &fixture->batch;
    size_t lengths[CONTEXTS];
    size_t length = size_min(fixture->acting.window, end + 1);
    for (size_t c = 0; c < CONTEXTS; c++) {
        lengths[c] = length;
    }
    partition_cut(&batch->partition, lengths, CONTEXTS);
    for (size_t c = 0; c < CONTEXTS; c++) {
        const struct heard_context *context = &fixture->listener.contexts[c];
        size_t first = batch_shard(batch)->segments[c].row;
        double return_so_far = 0.0;
        for (size_t i = 0; i <= end; i++) {
            size_t row = first + length - 1 - (end - i);
            return_so_far = context->steps[i].time == 0 ? 0.0 : return_so_far;
            double value = fixture->returns[c * TRIALS + context->steps[i].trial];
            if (end - i < length) {
                describe(&batch->steps, row, context, i, return_so_far, value,
                         fixture->untrained.policy.shape.time_max);
                steps_clear_previous(&batch->steps, row);
            }
            if (end - i + 1 < length) {
                steps_set_previous(&batch->steps, row, &batch->steps, row - 1);
            }
            return_so_far += i + 1 < context->count ? (double)listener_reward(context, i) : 0.0;
        }
    }
}

/* --- Both must agree -------------------------------------------------------------------------- */

static void expect_noisy(const float *action, const real *predicted, double deviation,
                         bool is_drawn, struct random *random)
{
    for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
        double expected = (double)predicted[j];
        if (is_drawn) {
            expected +=
                gaussian_deviation(predicted, MADE_UP_ACTION_DIM, j) * random_normal(random);
        }
        if (deviation > 0.0) {
            expected += deviation * random_normal(random);
        }
        support_expect_near((double)action[j], fmin(fmax(expected, -1.0), 1.0), 1e-5);
    }
}

static void expect_chosen(const float *action, const real *logits, double random_share,
                          bool samples, struct random *random)
{
    for (size_t k = 0; k < CATEGORICALS; k++) {
        size_t count = categories[k];
        size_t choice = samples ? categorical_draw(logits, count, random_uniform(random))
                                : categorical_likeliest(logits, count);
        if (random_share > 0.0 && random_uniform(random) < random_share) {
            choice = random_below(random, count);
        }
        for (size_t i = 0; i < count; i++) {
            assert_true(*action++ == (i == choice ? 1.0f : 0.0f));
        }
        logits += count;
    }
}

static size_t numbers_of(const struct fixture *fixture)
{
    return model_prediction_dim(&fixture->untrained.policy.shape);
}

/* What a trial's steps have drawn, drawn again from its stream. */
static void expect_executed(const struct fixture *fixture, size_t c, const real *predicted)
{
    const struct heard_context *context = &fixture->listener.contexts[c];
    struct random random;
    for (size_t i = 0; i < context->count; i++) {
        const struct heard_step *step = &context->steps[i];
        if (step->time == 0) {
            random = random_stream(seed, RANDOM_EXPLORE, c, step->trial);
        }
        const real *of_step = predicted + i * numbers_of(fixture);
        bool is_drawn = fixture->acting.samples[step->trial];
        double explore = fixture->acting.explore[step->trial];
        if (fixture->acting.is_categorical) {
            expect_chosen(step->action, of_step, explore, is_drawn, &random);
        } else {
            expect_noisy(step->action, of_step, explore, is_drawn && fixture->acting.is_gaussian,
                         &random);
        }
    }
}

static void open_model(struct fixture *fixture)
{
    struct failure failure = {0};
    fixture->ring = ring_open(1, 0);
    fixture->workers = workers_open(2, &failure);
    fatal_if_failed(&failure);
    bind_model(fixture);
    arena_open(&fixture->arena, fixture->arena.peak);
    bind_model(fixture);
}

static void close_model(struct fixture *fixture)
{
    batch_close(&fixture->batch);
    transformer_close(&fixture->transformer);
    arena_close(&fixture->arena);
    workers_close(fixture->workers);
    ring_close(fixture->ring);
    untrained_close(&fixture->untrained);
}

static void expect_policy_acts_as_trained(struct acting acting)
{
    static struct fixture fixture;
    fixture_open(&fixture, acting);
    open_model(&fixture);
    fill_batch(&fixture);
    transformer_forward(&fixture.transformer, &fixture.untrained.parameters, &fixture.batch, NULL);
    const struct shard *shard = batch_shard(&fixture.batch);
    for (size_t c = 0; c < CONTEXTS; c++) {
        assert_int_equal(shard->segments[c].context, c);
        expect_executed(&fixture, c,
                        fixture.transformer.predicted +
                            shard->segments[c].row * numbers_of(&fixture));
    }
    close_model(&fixture);
}

/* Whatever the step is, what it was predicted from is its window alone. */
static void expect_windows_executed(struct fixture *fixture, size_t c)
{
    for (size_t end = 0; end < fixture->listener.contexts[c].count; end++) {
        fill_windows(fixture, end);
        transformer_forward(&fixture->transformer, &fixture->untrained.parameters, &fixture->batch,
                            NULL);
        const struct segment *segment = &batch_shard(&fixture->batch)->segments[c];
        const real *predicted = fixture->transformer.predicted +
                                (segment->row + segment->count - 1) * numbers_of(fixture);
        const float *action = fixture->listener.contexts[c].steps[end].action;
        for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
            support_expect_near((double)action[j], (double)predicted[j], 1e-5);
        }
    }
}

static const double no_noise[TRIALS] = {0.0};
static const double noise[TRIALS] = {0.7, 0.0, 0.2};
static const struct acting noisy_acting = {.tokens = "R,s,a,r,d", .explore = noise};

static void test_decoder_is_fed_what_training_shows_the_model_in_every_layout(void **state)
{
    (void)state;
    static char layouts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE];
    size_t count = layouts_all(layouts);
    assert_int_equal(count, LAYOUTS_COUNT);
    for (size_t i = 0; i < count; i++) {
        expect_policy_acts_as_trained((struct acting){.tokens = layouts[i], .explore = no_noise});
    }
}

static void test_noisy_actions_are_those_that_the_context_holds(void **state)
{
    (void)state;
    expect_policy_acts_as_trained(noisy_acting);
}

static void test_failed_trials_stay_in_the_context(void **state)
{
    (void)state;
    made_up_env_set_failing(0.3);
    expect_policy_acts_as_trained(noisy_acting);
    made_up_env_set_failing(0.0);
}

static void test_policy_without_noise_plays_the_same_again(void **state)
{
    (void)state;
    static struct fixture one, other, noisy;
    struct acting quiet = {.tokens = "R,s,a,r,d", .explore = no_noise};
    fixture_open(&one, quiet);
    fixture_open(&other, quiet);
    fixture_open(&noisy, noisy_acting);
    assert_memory_equal(one.returns, other.returns, sizeof one.returns);
    for (size_t i = 0; i < RETURNS; i++) {
        assert_true(one.returns[i] != noisy.returns[i]);
    }
    untrained_close(&one.untrained);
    untrained_close(&other.untrained);
    untrained_close(&noisy.untrained);
}

static void test_steps_beyond_those_trained_are_as_the_last_of_these(void **state)
{
    (void)state;
    expect_policy_acts_as_trained(
        (struct acting){.tokens = "R,s,a,r,d", .explore = noise, .time_max = 2});
    expect_policy_acts_as_trained(
        (struct acting){.tokens = "R+s+-a+-r+-d", .explore = noise, .time_max = 1});
}

static void test_rewards_of_later_trials_may_be_kept_from_the_policy(void **state)
{
    (void)state;
    for (size_t rewarded = 1; rewarded < TRIALS; rewarded++) {
        expect_policy_acts_as_trained(
            (struct acting){.tokens = "R,s,a,r,d", .explore = noise, .rewarded_trials = rewarded});
        expect_policy_acts_as_trained((struct acting){
            .tokens = "R+s+-a+-r+-d", .explore = noise, .rewarded_trials = rewarded});
    }
}

static void test_windows_are_predicted_as_training_computes_them(void **state)
{
    (void)state;
    static struct fixture fixture;
    static const char *const tokens[] = {"R,s,a", "R+s+-a+-r+-d", "s,a,r,d"};
    for (size_t i = 0; i < 3; i++) {
        fixture_open(&fixture, (struct acting){
                                   .tokens = tokens[i], .explore = no_noise, .window = 1 + 2 * i});
        open_model(&fixture);
        expect_windows_executed(&fixture, 1);
        expect_windows_executed(&fixture, CONTEXTS - 1);
        close_model(&fixture);
    }
}

static void test_gaussian_actions_are_the_mean_or_drawn(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        expect_policy_acts_as_trained((struct acting){.tokens = "R+s+-a+-r+-d",
                                                      .explore = i % 2 ? noise : no_noise,
                                                      .is_gaussian = true,
                                                      .samples = {true, false, i / 2}});
    }
}

static void test_categorical_actions_are_the_likeliest_or_sampled_or_random(void **state)
{
    (void)state;
    for (int i = 0; i < 4; i++) {
        expect_policy_acts_as_trained((struct acting){.tokens = "R,s,a,r,d",
                                                      .explore = i % 2 ? noise : no_noise,
                                                      .is_categorical = true,
                                                      .samples = {i / 2, i / 2}});
    }
}

/* --- A policy alone --------------------------------------------------------------------------- */

enum { ROWS = 2000 };

/* A step of as many contexts, whatever they observe: action (ROWS x MADE_UP_ACTION_DIM). */
static void act_once(float *action, struct fixture *fixture)
{
    static const float observation[MADE_UP_OBSERVATION_DIM];
    struct failure failure = {0};
    struct workers *workers = workers_open(1, &failure);
    struct arena arena;
    struct policy_behaviour policy;
    struct behaviour_row *rows = memory_take(ROWS, sizeof *rows);
    open_policy(&policy, &arena, fixture,
                (struct decoder_options){.context_max = ROWS, .steps_max = 1, .workers = workers});
    for (size_t i = 0; i < ROWS; i++) {
        rows[i] = (struct behaviour_row){.observation = observation,
                                         .action = action + i * MADE_UP_ACTION_DIM,
                                         .random = random_stream(1, RANDOM_TEST, i, 0)};
    }
    struct behaviour behaviour = policy_behaviour_of(&policy);
    behaviour.begin(&behaviour, ROWS);
    behaviour.act(&behaviour, rows, ROWS);
    memory_free(rows);
    arena_close(&arena);
    workers_close(workers);
}

static real *head_biases(const struct fixture *fixture)
{
    return tensor_reals(&fixture->untrained.parameters.master.views.outer.head.action.bias);
}

/* Give each category of the actions the same probability in every state, and expect it as often as
 * `expected` says, within four standard deviations. */
static void expect_frequencies(struct acting acting, const double probability[MADE_UP_ACTION_DIM],
                               const double expected[MADE_UP_ACTION_DIM])
{
    static struct fixture fixture;
    static float action[ROWS * MADE_UP_ACTION_DIM];
    memset(action, 0, sizeof action);
    fixture_open(&fixture, acting);
    const struct tensor *weight =
        &fixture.untrained.parameters.master.views.outer.head.action.weight;
    memset(tensor_reals(weight), 0, tensor_count(weight) * sizeof(real));
    for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
        head_biases(&fixture)[j] = (real)log(probability[j]);
    }
    act_once(action, &fixture);
    for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
        double count = 0.0;
        for (size_t i = 0; i < ROWS; i++) {
            count += (double)action[i * MADE_UP_ACTION_DIM + j];
        }
        support_expect_near(count, ROWS * expected[j],
                            4.0 * sqrt(ROWS * expected[j] * (1.0 - expected[j])));
    }
    untrained_close(&fixture.untrained);
}

static void test_categories_are_as_frequent_as_they_are_probable(void **state)
{
    (void)state;
    static const double probability[MADE_UP_ACTION_DIM] = {0.2, 0.7, 0.1, 0.4, 0.6};
    static const double likeliest[MADE_UP_ACTION_DIM] = {0, 1, 0, 0, 1};
    static const double quarter[TRIALS] = {0.25};
    double with_random[MADE_UP_ACTION_DIM];
    for (size_t j = 0; j < MADE_UP_ACTION_DIM; j++) {
        with_random[j] = 0.75 * likeliest[j] + 0.25 / (double)categories[j < categories[0] ? 0 : 1];
    }
    struct acting acting = {.tokens = "s,a", .explore = no_noise, .is_categorical = true};
    expect_frequencies(acting, probability, likeliest);
    acting.samples[0] = true;
    expect_frequencies(acting, probability, probability);
    acting.samples[0] = false;
    acting.explore = quarter;
    expect_frequencies(acting, probability, with_random);
}

/* A policy whose numbers are ruined must not look like one that acts at the border. */
static void test_ruined_policy_gives_no_action(void **state)
{
    (void)state;
    static struct fixture fixture;
    static float action[ROWS * MADE_UP_ACTION_DIM];
    memset(action, 0, sizeof action);
    fixture_open(&fixture, noisy_acting);
    head_biases(&fixture)[0] = (real)NAN;
    act_once(action, &fixture);
    assert_true(isnan(action[0]));
    assert_true(action[1] >= -1.0f && action[1] <= 1.0f);
    untrained_close(&fixture.untrained);
}

static void test_ruined_logits_give_no_category(void **state)
{
    (void)state;
    static struct fixture fixture;
    static float action[ROWS * MADE_UP_ACTION_DIM];
    for (int samples = 0; samples < 2; samples++) {
        struct acting acting = noisy_acting;
        acting.is_categorical = true;
        acting.samples[0] = samples;
        memset(action, 0, sizeof action);
        fixture_open(&fixture, acting);
        head_biases(&fixture)[1] = (real)NAN;
        act_once(action, &fixture);
        assert_true(isnan(action[0]) && isnan(action[1]) && isnan(action[2]));
        assert_true(action[3] + action[4] == 1.0f);
        untrained_close(&fixture.untrained);
    }
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_decoder_is_fed_what_training_shows_the_model_in_every_layout),
        cmocka_unit_test(test_noisy_actions_are_those_that_the_context_holds),
        cmocka_unit_test(test_failed_trials_stay_in_the_context),
        cmocka_unit_test(test_policy_without_noise_plays_the_same_again),
        cmocka_unit_test(test_steps_beyond_those_trained_are_as_the_last_of_these),
        cmocka_unit_test(test_rewards_of_later_trials_may_be_kept_from_the_policy),
        cmocka_unit_test(test_windows_are_predicted_as_training_computes_them),
        cmocka_unit_test(test_gaussian_actions_are_the_mean_or_drawn),
        cmocka_unit_test(test_categorical_actions_are_the_likeliest_or_sampled_or_random),
        cmocka_unit_test(test_categories_are_as_frequent_as_they_are_probable),
        cmocka_unit_test(test_ruined_policy_gives_no_action),
        cmocka_unit_test(test_ruined_logits_give_no_category),
    };
    return support_mpi_run(argc, argv, "policy_behaviour", tests, sizeof tests / sizeof tests[0]);
}
