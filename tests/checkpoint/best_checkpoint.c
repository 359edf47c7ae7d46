/* Which checkpoint is the best, and that it is one which is there. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"
#include "checkpoint/best_checkpoint.h"
#include "tests/checkpoint/example.h"

static const double none = (double)NAN;

static bool is_beaten(double best_loss, double best_trial, double loss, double trial)
{
    const struct best_checkpoint best = {5, best_loss, best_trial, 5};
    return best_checkpoint_is_beaten(&best, loss, trial);
}

static void test_lower_loss_is_better_and_then_the_higher_return(void **state)
{
    (void)state;
    assert_true(is_beaten(0.5, 9.0, 0.4, 1.0));
    assert_false(is_beaten(0.5, 1.0, 0.5, 9.0));
    assert_true(is_beaten(none, 1.0, none, 2.0));
    assert_false(is_beaten(none, 2.0, none, 2.0));
}

static void test_what_was_not_measured_is_beaten_by_what_was(void **state)
{
    (void)state;
    assert_true(is_beaten(none, none, 0.5, none));
    assert_true(is_beaten(none, none, none, 1.0));
    assert_true(is_beaten(none, 1.0, 0.5, none));
    assert_true(is_beaten(none, 1.0, 0.5, 2.0));
    assert_false(is_beaten(none, 3.0, 0.5, 2.0)); /* what both have decides */
    assert_false(is_beaten(0.5, none, none, none));
    assert_false(is_beaten(0.5, none, none, 2.0));
    assert_false(is_beaten(none, none, none, none));
}

static void test_the_first_is_the_best_if_anything_was_measured(void **state)
{
    (void)state;
    const struct best_checkpoint nothing = {0, none, none, 0};
    assert_true(best_checkpoint_is_beaten(&nothing, 0.5, none));
    assert_true(best_checkpoint_is_beaten(&nothing, none, 0.5));
    assert_false(best_checkpoint_is_beaten(&nothing, none, none));
}

/* RUN/best.json names step 4, which was compared last at step 6. */
static void test_a_run_goes_on_with_a_best_that_is_there(void **state)
{
    const char *folder = *state;
    const struct best_checkpoint written = {4, 0.5, none, 6};
    struct best_checkpoint found;
    struct failure failure = {0};
    assert_true(file_make_folder(example_path(folder, "ckpt/step-4"), &failure));
    assert_true(best_checkpoint_write(&written, folder, &failure));
    assert_true(best_checkpoint_resume(&found, folder, 6, &failure));
    assert_true(found.step == 4 && found.evaluated == 6);
    assert_true(found.validation_loss == 0.5 && isnan(found.last_trial));
    assert_true(best_checkpoint_resume(&found, folder, 5, &failure));
    assert_true(found.step == 0 && found.evaluated == 0);
    assert_true(file_remove_tree(example_path(folder, "ckpt/step-4"), &failure));
    assert_true(best_checkpoint_resume(&found, folder, 6, &failure));
    char *warnings = example_warnings(folder);
    assert_non_null(strstr(warnings, "ckpt/step-4: the best checkpoint is gone"));
    memory_free(warnings);
    assert_true(found.step == 0 && found.evaluated == 0);
    assert_true(best_checkpoint_read(&found, folder, &failure));
    assert_true(found.step == 4);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_lower_loss_is_better_and_then_the_higher_return),
        cmocka_unit_test(test_what_was_not_measured_is_beaten_by_what_was),
        cmocka_unit_test(test_the_first_is_the_best_if_anything_was_measured),
        cmocka_unit_test_setup_teardown(test_a_run_goes_on_with_a_best_that_is_there, example_setup,
                                        example_teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
