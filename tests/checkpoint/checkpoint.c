#include "tests/checkpoint/example.h"

#include <string.h>

#include "base/memory.h"

static void test_checkpoint_comes_back_to_the_bit(void **state)
{
    example_save(*state, 500, 2);
    example_expect_newest(*state, 500);
    struct failure failure = {0};
    assert_true(checkpoint_verify(example_path(*state, "ckpt/step-500"), &failure));
    assert_true(checkpoint_verify(example_path(*state, "ckpt/step-500/"), &failure));
    example_expect_failure(checkpoint_verify(example_path(*state, "ckpt"), &failure), &failure,
                           EXIT_CODE_USAGE, "expected RUN/ckpt/step-N");
}

static void test_model_alone_can_be_loaded(void **state)
{
    struct failure failure = {0};
    example_save(*state, 5, 2);
    struct example found;
    struct example wanted;
    example_open(&found, 4, 99);
    example_open(&wanted, 4, 5);
    found.tensors.optimizer = NULL;
    found.tensors.optimizer_count = 0;
    const char *path = example_path(*state, "ckpt/step-5");
    assert_true(checkpoint_load_tensors(&found.tensors, path, &failure));
    assert_memory_equal(found.model[1].view.data, wanted.model[1].view.data, 16 * sizeof(float));
    example_close(&wanted);
    example_close(&found);
}

static void test_run_without_checkpoints_begins_anew(void **state)
{
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    uint64_t step;
    assert_int_equal(checkpoint_find_newest(path, &step, *state, &failure), CHECKPOINT_NONE);
    assert_true(file_make_folder(example_path(*state, "ckpt/.tmp-step-5"), &failure));
    assert_int_equal(checkpoint_find_newest(path, &step, *state, &failure), CHECKPOINT_NONE);
    assert_int_equal(failure.code, EXIT_CODE_DONE);
}

static void test_newest_is_by_number_and_older_ones_are_removed(void **state)
{
    example_save(*state, 9, 2);
    example_save(*state, 10, 2);
    example_expect_newest(*state, 10);
    assert_true(example_exists(example_path(*state, "ckpt/step-9")));
    example_save(*state, 100, 2);
    example_expect_newest(*state, 100);
    assert_true(example_exists(example_path(*state, "ckpt/step-10")));
    assert_false(example_exists(example_path(*state, "ckpt/step-9")));
    example_save(*state, 101, 1);
    assert_true(example_exists(example_path(*state, "ckpt/step-101")));
    assert_false(example_exists(example_path(*state, "ckpt/step-100")));
    assert_false(example_exists(example_path(*state, "ckpt/step-10")));
}

static void test_later_checkpoints_are_neither_removed_nor_counted(void **state)
{
    example_save(*state, 10, 2);
    example_save(*state, 30, 2);
    example_save(*state, 20, 2);
    assert_true(example_exists(example_path(*state, "ckpt/step-10")));
    assert_true(example_exists(example_path(*state, "ckpt/step-20")));
    assert_true(example_exists(example_path(*state, "ckpt/step-30")));
}

static void test_same_step_is_replaced(void **state)
{
    struct failure failure = {0};
    struct example other;
    example_open(&other, 4, 77);
    other.checkpoint.step = 5;
    assert_true(checkpoint_write(*state, &other.tensors, &other.checkpoint,
                                 &(struct checkpoint_retention){.keep = 2}, &failure));
    example_close(&other);
    example_save(*state, 5, 2);
    example_expect_newest(*state, 5);
    assert_false(example_exists(example_path(*state, "ckpt/.tmp-step-5")));
}

static void test_same_numbers_make_the_same_files(void **state)
{
    static const char *const names[] = {"model.safetensors", "optimizer.safetensors", "state.json",
                                        "MANIFEST.json"};
    const char *one = memory_copy_text(example_path(*state, "one"));
    const char *two = memory_copy_text(example_path(*state, "two"));
    example_save(one, 5, 2);
    example_save(two, 5, 2);
    for (size_t i = 0; i < 4; i++) {
        size_t sizes[2];
        char *first = example_read(example_path(example_path(one, "ckpt/step-5"), names[i]), sizes);
        char *second =
            example_read(example_path(example_path(two, "ckpt/step-5"), names[i]), sizes + 1);
        assert_int_equal(sizes[0], sizes[1]);
        assert_memory_equal(first, second, sizes[0]);
        memory_free(first);
        memory_free(second);
    }
    memory_free((void *)(uintptr_t)one);
    memory_free((void *)(uintptr_t)two);
}

static void test_leftovers_of_a_kill_are_cleaned_at_the_next_write(void **state)
{
    struct failure failure = {0};
    example_save(*state, 5, 2);
    assert_true(file_make_folder(example_path(*state, "ckpt/.tmp-step-6"), &failure));
    example_write(example_path(*state, "ckpt/.tmp-step-6/model.safetensors"), "half", 4);
    assert_true(file_make_folder(example_path(*state, "ckpt/.tmp-step-7.old/inner"), &failure));
    example_expect_newest(*state, 5);
    example_save(*state, 6, 2);
    example_expect_newest(*state, 6);
    assert_false(example_exists(example_path(*state, "ckpt/.tmp-step-6")));
    assert_false(example_exists(example_path(*state, "ckpt/.tmp-step-7.old")));
    assert_true(example_exists(example_path(*state, "ckpt/step-5")));
}

static void test_other_model_is_refused_with_a_clear_line(void **state)
{
    struct failure failure = {0};
    example_save(*state, 500, 2);
    struct example other;
    example_open(&other, 8, 1);
    const char *path = example_path(*state, "ckpt/step-500");
    example_expect_failure(checkpoint_load_tensors(&other.tensors, path, &failure), &failure,
                           EXIT_CODE_DATA,
                           "/ckpt/step-500/model.safetensors: embedding.weight is 7 x 4, expected "
                           "7 x 8; the checkpoint was made with other model settings: use those or "
                           "a new run name");
    example_close(&other);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_checkpoint_comes_back_to_the_bit),
        TEST(test_model_alone_can_be_loaded),
        TEST(test_run_without_checkpoints_begins_anew),
        TEST(test_newest_is_by_number_and_older_ones_are_removed),
        TEST(test_later_checkpoints_are_neither_removed_nor_counted),
        TEST(test_same_step_is_replaced),
        TEST(test_same_numbers_make_the_same_files),
        TEST(test_leftovers_of_a_kill_are_cleaned_at_the_next_write),
        TEST(test_other_model_is_refused_with_a_clear_line),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
