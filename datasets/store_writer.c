#include "base/memory.h"
#include "datasets/episode_log.h"
#include "datasets/store.h"

struct store_writer {
    struct episode_log *log;
    size_t count; /* episodes */
};

struct store_writer *store_writer_open(const char *path, const struct store_spec *spec,
                                       struct failure *failure)
{
    const struct episode_log_options options = {.path = path, .spec = spec};
    struct episode_log *log = episode_log_open(&options, failure);
    if (!log) {
        return NULL;
    }
    struct store_writer *writer = memory_take(1, sizeof *writer);
    writer->log = log;
    return writer;
}

bool store_writer_add(struct store_writer *writer, const struct store_episode *episode,
                      struct failure *failure)
{
    bool ok = episode_log_append(writer->log, writer->count, episode, NULL, failure);
    writer->count += ok;
    return ok;
}

bool store_writer_commit(struct store_writer *writer, struct failure *failure)
{
    struct episode_log_result result;
    bool ok = episode_log_merge_begin(writer->log, failure) &&
              episode_log_merge_copy(writer->log, 0, 1, failure) &&
              episode_log_merge_end(writer->log, &result, failure);
    store_writer_discard(writer);
    return ok;
}

void store_writer_discard(struct store_writer *writer)
{
    episode_log_discard(writer->log);
    memory_free(writer);
}
