/* A trajectory store of ours as the input of a conversion: to relabel it, or to bring it to the
 * present version of the format. Every episode is compared with its hashes. */
#define _GNU_SOURCE /* memmem */
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/formats.h"
#include "datasets/store_verify.h"

struct store_input {
    struct store *store;
    struct episode_buffer buffer;
};

/* Is the value of the attribute `format` within `size` bytes from `offset` on? */
static bool has_format_name(const struct file_reader *reader, uint64_t offset, size_t size)
{
    static const char name[] = "chainring-trajectories";
    char *bytes = memory_take(size + 1, 1);
    bool is_found = file_reader_read(reader, bytes, size, offset, &(struct failure){0}) &&
                    memmem(bytes, size, name, sizeof name - 1);
    memory_free(bytes);
    return is_found;
}

/* Attributes lie at the beginning of the file or, where they are many, at its end. */
static bool store_input_recognises(const char *path)
{
    enum { MOST = 1 << 20 };
    struct file_reader reader;
    if (!file_reader_open(&reader, path, &(struct failure){0})) {
        return false;
    }
    size_t size = size_min(reader.size, MOST);
    bool ok =
        has_format_name(&reader, 0, size) || has_format_name(&reader, reader.size - size, size);
    file_reader_close(&reader);
    return ok;
}

static void *store_input_open(const char *path, const struct format_options *options,
                              struct store_spec *spec, struct failure *failure)
{
    (void)options;
    struct store *store = store_open(path, failure);
    if (!store) {
        return NULL;
    }
    struct store_input *input = memory_take(1, sizeof *input);
    input->store = store;
    *spec = *store_spec(store);
    return input;
}

static void store_input_close(void *source)
{
    struct store_input *input = source;
    episode_buffer_free(&input->buffer);
    store_close(input->store);
    memory_free(input);
}

static size_t store_input_episode_count(const void *source)
{
    return store_episode_count(((const struct store_input *)source)->store);
}

static bool store_input_read(void *source, size_t index, struct format_episode *episode,
                             struct failure *failure)
{
    struct store_input *input = source;
    *episode = (struct format_episode){.is_partial = false};
    snprintf(episode->name, sizeof episode->name, "episode %zu", index);
    return store_read_episode(&episode->data, &input->buffer, input->store, index, failure);
}

const struct format_reader format_store = {
    .name = "store",
    .help = "store: a trajectory store of chainring",
    .is_stored = true,
    .recognises = store_input_recognises,
    .open = store_input_open,
    .close = store_input_close,
    .episode_count = store_input_episode_count,
    .read = store_input_read,
};
