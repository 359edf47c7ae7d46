#include "tests/checkpoint/example.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "base/memory.h"

int example_setup(void **state)
{
    *state = memory_copy_text(support_scratch_folder());
    log_set_quiet(true);
    log_open_file(example_path(*state, "warnings"));
    return 0;
}

int example_teardown(void **state)
{
    struct failure failure = {0};
    log_close_file();
    bool is_removed = file_remove_tree(*state, &failure);
    memory_free(*state);
    return is_removed ? 0 : -1;
}

const char *example_path(const char *folder, const char *name)
{
    static char paths[8][FILE_PATH_MAX];
    static size_t next;
    char *path = paths[next++ % 8];
    struct failure failure = {0};
    assert_true(file_join(path, folder, name, &failure));
    return path;
}

char *example_warnings(const char *folder)
{
    struct failure failure = {0};
    char *text = file_read(example_path(folder, "warnings"), 1 << 20, NULL, &failure);
    assert_non_null(text);
    return text;
}

static void tensor_open(struct named_tensor *tensor, const char *name, size_t rows, size_t columns,
                        double start)
{
    float *numbers = memory_take(rows * columns, sizeof *numbers);
    for (size_t i = 0; i < rows * columns; i++) {
        numbers[i] = (float)(start + 0.37 * (double)i);
    }
    *tensor = named_tensor_of(name, numbers, rows, columns);
}

void example_open(struct example *example, size_t width, uint64_t step)
{
    static const char *const names[] = {"embedding.weight", "layers.0.attention.query.weight",
                                        "head.bias"};
    static const char *const moments[] = {"first_moment.", "second_moment."};
    size_t rows[] = {7, width, 1};
    for (size_t i = 0; i < EXAMPLE_MODEL_TENSORS; i++) {
        double start = (double)step + 100.0 * (double)i;
        tensor_open(&example->model[i], names[i], rows[i], width, start);
        for (size_t moment = 0; moment < 2; moment++) {
            char name[64];
            snprintf(name, sizeof name, "%s%s", moments[moment], names[i]);
            tensor_open(&example->optimizer[2 * i + moment], name, rows[i], width,
                        -start - (double)moment);
        }
    }
    example->tensors = (struct checkpoint_tensors){.model = example->model,
                                                   .model_count = EXAMPLE_MODEL_TENSORS,
                                                   .optimizer = example->optimizer,
                                                   .optimizer_count = EXAMPLE_OPTIMIZER_TENSORS};
    checkpoint_state_open(&example->checkpoint);
    example->checkpoint.step = step;
    example->checkpoint.seed = UINT64_MAX - step;
    example->checkpoint.tokens_seen = 0.1 * (double)step;
    double mean[] = {0.1, -1e-310, 3.0};
    checkpoint_state_put_numbers(&example->checkpoint, "scaling.mean", mean, 3);
    checkpoint_state_put_text(&example->checkpoint, "config.digest", "0123abcd");
}

void example_close(struct example *example)
{
    for (size_t i = 0; i < EXAMPLE_MODEL_TENSORS; i++) {
        memory_free(example->model[i].view.data);
    }
    for (size_t i = 0; i < EXAMPLE_OPTIMIZER_TENSORS; i++) {
        memory_free(example->optimizer[i].view.data);
    }
    checkpoint_state_close(&example->checkpoint);
}

void example_save(const char *run, uint64_t step, size_t keep)
{
    struct failure failure = {0};
    struct example example;
    example_open(&example, 4, step);
    if (!checkpoint_write(run, &example.tensors, &example.checkpoint,
                          &(struct checkpoint_retention){.keep = keep}, &failure)) {
        fail_msg("%s", failure.text);
    }
    example_close(&example);
}

static void expect_same_tensors(const struct named_tensor *found, const struct named_tensor *wanted,
                                size_t count)
{
    for (size_t i = 0; i < count; i++) {
        assert_memory_equal(found[i].view.data, wanted[i].view.data,
                            tensor_count(&wanted[i].view) * sizeof(float));
    }
}

void example_expect_newest(const char *run, uint64_t step)
{
    struct failure failure = {0};
    char path[FILE_PATH_MAX];
    uint64_t newest = 0;
    if (checkpoint_find_newest(path, &newest, run, &failure) != CHECKPOINT_FOUND) {
        fail_msg("expected the checkpoint of step %d, found none: %s", (int)step, failure.text);
    }
    assert_int_equal(newest, step);
    struct example found;
    struct example wanted;
    example_open(&found, 4, step + 1);
    example_open(&wanted, 4, step);
    if (!checkpoint_load_tensors(&found.tensors, path, &failure)) {
        fail_msg("%s", failure.text);
    }
    expect_same_tensors(found.model, wanted.model, EXAMPLE_MODEL_TENSORS);
    expect_same_tensors(found.optimizer, wanted.optimizer, EXAMPLE_OPTIMIZER_TENSORS);
    struct checkpoint_state state;
    assert_true(checkpoint_load_state(&state, path, &failure));
    assert_int_equal(state.step, step);
    assert_true(state.seed == wanted.checkpoint.seed);
    assert_memory_equal(&state.tokens_seen, &wanted.checkpoint.tokens_seen, sizeof(double));
    double mean[3];
    assert_true(checkpoint_state_get_numbers(mean, &state, "scaling.mean", 3, &failure));
    assert_memory_equal(mean, wanted.checkpoint.numbers[0].values, sizeof mean);
    const char *digest = checkpoint_state_get_text(&state, "config.digest", &failure);
    assert_string_equal(digest, "0123abcd");
    checkpoint_state_close(&state);
    example_close(&wanted);
    example_close(&found);
}

bool example_exists(const char *path)
{
    return access(path, F_OK) == 0;
}

void example_expect_failure(bool result, const struct failure *failure, int code, const char *words)
{
    if (result || (int)failure->code != code || !strstr(failure->text, words) ||
        strchr(failure->text, '\n')) {
        fail_msg("expected a failure with code %d and \"%s\"; found %s with code %d and \"%s\"",
                 code, words, result ? "success" : "failure", (int)failure->code, failure->text);
    }
}

char *example_read(const char *path, size_t *size)
{
    FILE *file = fopen(path, "rb");
    assert_non_null(file);
    char *bytes = memory_take(1 << 20, 1);
    *size = fread(bytes, 1, 1 << 20, file);
    assert_true(*size < 1 << 20);
    fclose(file);
    return bytes;
}

void example_write(const char *path, const void *bytes, size_t size)
{
    FILE *file = fopen(path, "wb");
    assert_non_null(file);
    assert_int_equal(fwrite(bytes, 1, size, file), size);
    assert_int_equal(fclose(file), 0);
}
