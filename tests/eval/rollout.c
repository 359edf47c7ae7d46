#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "behaviours/random_actions.h"
#include "behaviours/script.h"
#include "eval/rollout.h"
#include "tests/eval/listener.h"

enum { CONTEXTS = 11, TRIALS = 4, RETURNS = CONTEXTS * TRIALS };

static const double target = 1.5;

static const struct rollout_options standard = {
    .hidden = ROLLOUT_HIDDEN_OF_CONTEXT,
    .contexts = CONTEXTS,
    .first = 0,
    .stride = 1,
    .trials = TRIALS,
    .trials_held = TRIALS,
    .seed = 42,
};

static const struct env_spec spec = {.task = "made_up",
                                     .action_dim = MADE_UP_ACTION_DIM,
                                     .actions = {.dim = MADE_UP_ACTION_DIM},
                                     .has_script = true};

static struct behaviour random_behaviour(void)
{
    struct behaviour behaviour = random_actions_open(&spec);
    behaviour.target = target;
    return behaviour;
}

static struct behaviour script_behaviour(void)
{
    struct behaviour behaviour;
    struct failure failure = {0};
    const struct noise_options no_noise = {0};
    assert_true(script_open(&behaviour, &spec, &no_noise, 4, &failure));
    return behaviour;
}

/* Closes the behaviour. */
static void run(double *returns, struct behaviour behaviour, const struct rollout_options *options,
                size_t batch, size_t threads)
{
    struct failure failure = {0};
    struct env_task *task = env_task_open("made_up", &failure);
    struct workers *workers = workers_open(threads, &failure);
    fatal_if_failed(&failure);
    struct rollout *rollout = rollout_open(task, batch, workers);
    size_t steps = rollout_contexts(options) * options->trials * MADE_UP_STEPS_MAX;
    struct progress progress = progress_begin("rollout", 0, steps + 1);
    rollout_run(returns, rollout, options, &behaviour, &progress);
    behaviour_close(&behaviour);
    rollout_close(rollout);
    workers_close(workers);
    env_task_close(task);
}

static void listen(struct listener *listener, double *returns,
                   const struct rollout_options *options)
{
    run(returns, listener_of(listener, random_behaviour()), options, 4, 1);
}

static void test_return_to_go_is_the_target_in_each_trial_and_falls_by_rewards(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS];
    listen(&listener, returns, &standard);
    for (size_t c = 0; c < CONTEXTS; c++) {
        const struct heard_context *context = &listener.contexts[c];
        double return_so_far = 0.0;
        for (size_t i = 0; i < context->count; i++) {
            return_so_far = context->steps[i].time == 0 ? 0.0 : return_so_far;
            support_expect_near(context->steps[i].return_to_go, target - return_so_far, 0.0);
            if (i + 1 < context->count) {
                return_so_far += (double)listener_reward(context, i);
            }
        }
    }
}

static void test_trials_follow_one_another_in_a_context(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS];
    listen(&listener, returns, &standard);
    size_t shortest = LISTENER_STEPS_MAX;
    size_t longest = 0;
    for (size_t c = 0; c < CONTEXTS; c++) {
        const struct heard_context *context = &listener.contexts[c];
        assert_int_equal(context->trials_begun, TRIALS);
        assert_int_equal(context->steps[context->count - 1].trial, TRIALS - 1);
        for (size_t i = 0; i < context->count; i++) {
            const struct heard_step *step = &context->steps[i];
            size_t last_trial = i > 0 ? context->steps[i - 1].trial : 0;
            bool is_first = i > 0 ? step->trial > last_trial : true;
            assert_true(step->trial == last_trial || step->trial == last_trial + 1);
            assert_int_equal(step->time, is_first ? 0 : context->steps[i - 1].time + 1);
            if (i > 0) {
                assert_int_equal(step->previous.trial, context->steps[i - 1].trial);
                assert_int_equal(step->previous.time, context->steps[i - 1].time);
                assert_memory_equal(step->previous_action, context->steps[i - 1].action,
                                    sizeof step->action);
            }
        }
        shortest = context->count < shortest ? context->count : shortest;
        longest = context->count > longest ? context->count : longest;
    }
    assert_true(shortest < longest); /* else this test has seen too little */
}

static bool is_untold(const struct heard_step *step)
{
    static const struct behaviour_step nothing;
    static const float no_action[MADE_UP_ACTION_DIM];
    return step->previous.reward == nothing.reward && step->previous.time == nothing.time &&
           step->previous.trial == nothing.trial &&
           memcmp(step->previous_action, no_action, sizeof no_action) == 0;
}

/* Who remembers nothing earns the same; trials are numbered in their contexts. */
static void test_an_empty_context_of_the_same_task_follows_a_full_one(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS], wanted[RETURNS];
    struct rollout_options options = standard;
    for (int hidden = ROLLOUT_HIDDEN_OF_CONTEXT; hidden <= ROLLOUT_HIDDEN_OF_TRIAL; hidden++) {
        options.hidden = (enum rollout_hidden)hidden;
        options.trials_held = TRIALS;
        listen(&listener, wanted, &options);
        for (options.trials_held = 1; options.trials_held < TRIALS; options.trials_held++) {
            listen(&listener, returns, &options);
            assert_memory_equal(returns, wanted, sizeof wanted);
            for (size_t c = 0; c < CONTEXTS; c++) {
                assert_int_equal(listener.contexts[c].trials_begun, TRIALS);
                for (size_t i = 0; i < listener.contexts[c].count; i++) {
                    const struct heard_step *step = &listener.contexts[c].steps[i];
                    bool is_first = step->trial == 0 && step->time == 0;
                    assert_true(step->trial < options.trials_held);
                    assert_true(!is_first || is_untold(step));
                }
            }
        }
    }
}

static void test_returns_are_the_sums_of_rewards(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS];
    listen(&listener, returns, &standard);
    for (size_t c = 0; c < CONTEXTS; c++) {
        double sums[TRIALS] = {0};
        const struct heard_context *context = &listener.contexts[c];
        for (size_t i = 0; i + 1 < context->count; i++) {
            sums[context->steps[i].trial] += (double)listener_reward(context, i);
        }
        for (size_t trial = 0; trial + 1 < TRIALS; trial++) {
            support_expect_near(returns[c * TRIALS + trial], sums[trial], 0.0);
        }
        assert_true(returns[c * TRIALS + TRIALS - 1] > sums[TRIALS - 1]);
    }
}

static void test_done_says_that_a_trial_ended_and_reached_the_target(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS];
    made_up_env_set_failing(0.3);
    listen(&listener, returns, &standard);
    made_up_env_set_failing(0.0);
    size_t done = 0;
    size_t short_of_it = 0;
    size_t failed = 0;
    for (size_t c = 0; c < CONTEXTS; c++) {
        const struct heard_context *context = &listener.contexts[c];
        for (size_t i = 1; i < context->count; i++) {
            const struct heard_step *step = &context->steps[i];
            double value = returns[c * TRIALS + step->previous.trial];
            bool has_ended = step->time == 0;
            assert_int_equal(step->previous.is_done, has_ended && value >= target);
            done += step->previous.is_done;
            short_of_it += has_ended && value < target;
            failed += has_ended && isnan(value);
        }
    }
    assert_true(done > 0 && short_of_it > 0 && failed > 0);
}

static void test_failed_trials_have_no_return_and_their_context_goes_on(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS];
    made_up_env_set_failing(0.4);
    listen(&listener, returns, &standard);
    made_up_env_set_failing(0.0);
    size_t failed = 0;
    for (size_t c = 0; c < CONTEXTS; c++) {
        assert_int_equal(listener.contexts[c].trials_begun, TRIALS);
        for (size_t trial = 0; trial < TRIALS; trial++) {
            failed += isnan(returns[c * TRIALS + trial]);
        }
    }
    assert_true(failed > RETURNS / 10 && failed < RETURNS);
}

static void test_hidden_task_holds_for_a_context_or_for_a_trial(void **state)
{
    (void)state;
    static struct listener fixed, redrawn;
    double returns[RETURNS];
    struct rollout_options options = standard;
    listen(&fixed, returns, &options);
    options.hidden = ROLLOUT_HIDDEN_OF_TRIAL;
    listen(&redrawn, returns, &options);
    for (size_t c = 0; c < CONTEXTS; c++) {
        const struct heard_context *one = &fixed.contexts[c];
        const struct heard_context *other = &redrawn.contexts[c];
        assert_int_equal(one->count, other->count); /* the same first states */
        assert_true(c == 0 || one->steps[0].hidden != fixed.contexts[c - 1].steps[0].hidden);
        for (size_t i = 0; i < one->count; i++) {
            size_t trial = one->steps[i].trial;
            assert_true(one->steps[i].hidden == one->steps[0].hidden);
            assert_int_equal(other->steps[i].trial, trial);
            assert_int_equal(other->steps[i].hidden == one->steps[0].hidden, trial == 0);
            assert_memory_equal(one->steps[i].observation, other->steps[i].observation,
                                sizeof one->steps[i].observation);
            if (i > 0 && trial == other->steps[i - 1].trial) {
                assert_true(other->steps[i].hidden == other->steps[i - 1].hidden);
            }
        }
    }
}

static void test_every_trial_has_a_first_state_of_its_own(void **state)
{
    (void)state;
    static struct listener listener;
    double returns[RETURNS];
    float firsts[RETURNS];
    size_t count = 0;
    listen(&listener, returns, &standard);
    for (size_t c = 0; c < CONTEXTS; c++) {
        for (size_t i = 0; i < listener.contexts[c].count; i++) {
            const struct heard_step *step = &listener.contexts[c].steps[i];
            for (size_t j = 0; step->time == 0 && j < count; j++) {
                assert_true(step->observation[0] != firsts[j]);
            }
            if (step->time == 0) {
                firsts[count++] = step->observation[0];
            }
        }
    }
    assert_int_equal(count, RETURNS);
}

static void test_returns_do_not_depend_on_the_batch_or_on_who_plays(void **state)
{
    (void)state;
    static const size_t batches[] = {1, 3, 8, 20};
    double expected[RETURNS];
    run(expected, random_behaviour(), &standard, CONTEXTS, 1);
    for (size_t i = 0; i < sizeof batches / sizeof batches[0]; i++) {
        for (size_t players = 1; players <= 13; players += 3) {
            double found[RETURNS] = {0};
            size_t contexts = 0;
            for (size_t player = 0; player < players; player++) {
                struct rollout_options options = standard;
                options.first = player;
                options.stride = players;
                contexts += rollout_contexts(&options);
                run(found, random_behaviour(), &options, batches[i], 1);
            }
            assert_int_equal(contexts, CONTEXTS);
            assert_memory_equal(found, expected, sizeof expected);
        }
    }
}

static void test_returns_do_not_depend_on_the_number_of_threads(void **state)
{
    (void)state;
    static const size_t threads[] = {1, 2, 3, 5};
    double expected[RETURNS];
    made_up_env_set_failing(0.2);
    run(expected, random_behaviour(), &standard, 1, 1);
    for (size_t i = 0; i < sizeof threads / sizeof threads[0]; i++) {
        for (size_t batch = 1; batch <= CONTEXTS; batch += 5) {
            double found[RETURNS];
            run(found, random_behaviour(), &standard, batch, threads[i]);
            assert_memory_equal(found, expected, sizeof expected);
        }
    }
    made_up_env_set_failing(0.0);
}

static void test_another_seed_plays_other_trials(void **state)
{
    (void)state;
    double one[RETURNS];
    double other[RETURNS];
    struct rollout_options options = standard;
    run(one, random_behaviour(), &options, 4, 1);
    options.seed++;
    run(other, random_behaviour(), &options, 4, 1);
    for (size_t i = 0; i < RETURNS; i++) {
        assert_true(one[i] != other[i]);
    }
}

static double sum(const double *values)
{
    double total = 0.0;
    for (size_t i = 0; i < RETURNS; i++) {
        total += values[i];
    }
    return total;
}

static void test_script_plays_better_than_random(void **state)
{
    (void)state;
    double script[RETURNS];
    double random[RETURNS];
    run(script, script_behaviour(), &standard, 4, 1);
    run(random, random_behaviour(), &standard, 4, 1);
    assert_true(sum(script) > 1.3 * sum(random));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_return_to_go_is_the_target_in_each_trial_and_falls_by_rewards),
        cmocka_unit_test(test_trials_follow_one_another_in_a_context),
        cmocka_unit_test(test_an_empty_context_of_the_same_task_follows_a_full_one),
        cmocka_unit_test(test_returns_are_the_sums_of_rewards),
        cmocka_unit_test(test_done_says_that_a_trial_ended_and_reached_the_target),
        cmocka_unit_test(test_failed_trials_have_no_return_and_their_context_goes_on),
        cmocka_unit_test(test_hidden_task_holds_for_a_context_or_for_a_trial),
        cmocka_unit_test(test_every_trial_has_a_first_state_of_its_own),
        cmocka_unit_test(test_returns_do_not_depend_on_the_batch_or_on_who_plays),
        cmocka_unit_test(test_returns_do_not_depend_on_the_number_of_threads),
        cmocka_unit_test(test_another_seed_plays_other_trials),
        cmocka_unit_test(test_script_plays_better_than_random),
    };
    return cmocka_run_group_tests_name("rollout", tests, NULL, NULL);
}
