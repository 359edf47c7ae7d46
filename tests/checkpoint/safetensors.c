#include "tests/checkpoint/example.h"

#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

#include "base/memory.h"
#include "checkpoint/safetensors.h"

enum { COUNT = 3 };

/* Numbers whose bits are easily lost. */
static float awkward[] = {0.1F, -0.0F,     1e-45F, 3.4028235e38F, -1.1754942e-38F, 1.0F / 3.0F,
                          NAN,  -INFINITY, 42.0F,  -7.25F,        1e-20F,          16777217.0F};

static void describe(struct named_tensor tensors[COUNT], float *numbers)
{
    tensors[0] = named_tensor_of("table", numbers, 3, 3);
    tensors[1] = named_tensor_of("empty", numbers + 9, 0, 5);
    tensors[2] = named_tensor_of("row", numbers + 9, 1, 3);
}

static void test_numbers_come_back_to_the_bit(void **state)
{
    struct failure failure = {0};
    struct named_tensor tensors[COUNT];
    describe(tensors, awkward);
    const char *path = example_path(*state, "file");
    struct digest written;
    struct digest found;
    assert_true(safetensors_write(&written, path, tensors, COUNT, &failure));
    float back[12] = {0};
    describe(tensors, back);
    assert_true(safetensors_read(path, tensors, COUNT, &failure));
    assert_memory_equal(back, awkward, sizeof awkward);
    assert_true(digest_read(&found, path, &failure));
    assert_true(found.size == written.size);
    assert_string_equal(found.hash, written.hash);
}

static void test_tensors_are_found_by_name_in_any_order(void **state)
{
    struct failure failure = {0};
    struct named_tensor tensors[COUNT];
    describe(tensors, awkward);
    const char *path = example_path(*state, "file");
    assert_true(safetensors_write(NULL, path, tensors, COUNT, &failure));
    float back[12] = {0};
    describe(tensors, back);
    struct named_tensor first = tensors[0];
    tensors[0] = tensors[2];
    tensors[2] = first;
    assert_true(safetensors_read(path, tensors, COUNT, &failure));
    assert_memory_equal(back, awkward, sizeof awkward);
}

static void test_no_tensors_are_a_file_too(void **state)
{
    struct failure failure = {0};
    const char *path = example_path(*state, "file");
    assert_true(safetensors_write(NULL, path, NULL, 0, &failure));
    assert_true(safetensors_read(path, NULL, 0, &failure));
}

/* Read back what another model has written; nothing may be changed. */
static void expect_refused(const char *folder, const struct named_tensor *tensors, size_t count,
                           const char *words)
{
    struct failure failure = {0};
    struct named_tensor written[COUNT];
    describe(written, awkward);
    const char *path = example_path(folder, "model.safetensors");
    assert_true(safetensors_write(NULL, path, written, COUNT, &failure));
    float *numbers = count > 0 ? tensors[0].view.data : NULL;
    example_expect_failure(safetensors_read(path, tensors, count, &failure), &failure,
                           EXIT_CODE_DATA, words);
    assert_non_null(strstr(failure.text, path));
    assert_non_null(strstr(failure.text, "new run name"));
    if (numbers) {
        assert_true(numbers[0] == 5.0F);
    }
}

static void test_other_models_are_refused(void **state)
{
    float numbers[24] = {5.0F};
    struct named_tensor tensors[COUNT + 1];
    describe(tensors, numbers);
    tensors[2].view.columns = 4;
    expect_refused(*state, tensors, COUNT, "row is 1 x 3, expected 1 x 4; ");
    describe(tensors, numbers);
    tensors[0].view.rows = 1;
    tensors[0].view.columns = 9;
    expect_refused(*state, tensors, COUNT, "table is 3 x 3, expected 1 x 9; ");
    describe(tensors, numbers);
    expect_refused(*state, tensors, COUNT - 1, "found row, expected no tensor of this name; ");
    tensors[COUNT] = named_tensor_of("more", numbers, 2, 2);
    expect_refused(*state, tensors, COUNT + 1, "more is missing, expected 2 x 2; ");
    strcpy(tensors[2].name, "column");
    expect_refused(*state, tensors, COUNT, "column is missing, expected 1 x 3; ");
}

static const char *script;

static void test_plain_python_reads_the_numbers(void **state)
{
    struct failure failure = {0};
    struct named_tensor tensors[2] = {
        named_tensor_of("layers.0.weight", awkward, 2, 3),
        named_tensor_of("bias", awkward + 8, 1, 2),
    };
    const char *path = example_path(*state, "file");
    assert_true(safetensors_write(NULL, path, tensors, 2, &failure));
    char command[2 * FILE_PATH_MAX + 32];
    snprintf(command, sizeof command, "LD_PRELOAD= python3 '%s' '%s'", script, path);
    FILE *pipe = popen(command, "r");
    assert_non_null(pipe);
    for (size_t i = 0; i < 2; i++) {
        char name[64];
        size_t rows;
        size_t columns;
        int fields = fscanf(pipe, "%63s %zu %zu", name, &rows, &columns);
        if (fields != 3) {
            int status = pclose(pipe);
            if (WIFEXITED(status) && WEXITSTATUS(status) == 77) {
                skip();
            }
            fail_msg("python3 could not read the file: status 0x%x", (unsigned)status);
        }
        assert_string_equal(name, tensors[i].name);
        assert_int_equal(rows, tensors[i].view.rows);
        assert_int_equal(columns, tensors[i].view.columns);
        for (size_t k = 0; k < rows * columns; k++) {
            double value;
            assert_int_equal(fscanf(pipe, "%la", &value), 1);
            float narrow = (float)value;
            assert_memory_equal(&narrow, (const float *)tensors[i].view.data + k, sizeof narrow);
        }
    }
    assert_int_equal(pclose(pipe), 0);
}

static void test_hash_is_that_of_xxhsum(void **state)
{
    struct failure failure = {0};
    struct digest digest;
    const char *path = example_path(*state, "file");
    assert_true(digest_write(&digest, path, "", 0, &failure));
    assert_string_equal(digest.hash, "99aa06d3014798d86001c324468d497f");
    assert_true(digest_read(&digest, path, &failure));
    assert_string_equal(digest.hash, "99aa06d3014798d86001c324468d497f");
}

int main(int count, char **arguments)
{
    script = count > 1 ? arguments[1] : "tests/checkpoint/read_safetensors.py";
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_numbers_come_back_to_the_bit),
        TEST(test_tensors_are_found_by_name_in_any_order),
        TEST(test_no_tensors_are_a_file_too),
        TEST(test_other_models_are_refused),
        TEST(test_plain_python_reads_the_numbers),
        TEST(test_hash_is_that_of_xxhsum),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
