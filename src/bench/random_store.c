#include "bench/random_store.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "base/random.h"
#include "comm/comm.h"
#include "datasets/store.h"

static bool random_store_fill(struct store_writer *writer, size_t episodes, size_t steps,
                              struct failure *failure)
{
    size_t observations = (steps + 1) * RANDOM_STORE_OBSERVATIONS;
    size_t actions = steps * RANDOM_STORE_ACTIONS;
    size_t count = observations + actions + steps;
    float *numbers = memory_take(count, sizeof *numbers);
    const struct store_episode record = {
        .length = steps,
        .observation = numbers,
        .action = numbers + observations,
        .reward = {numbers + observations + actions},
        .end = STORE_END_TRUNCATED,
    };
    bool ok = true;
    for (size_t episode = 0; ok && episode < episodes; episode++) {
        struct random random = random_stream(1, RANDOM_BENCH, episode, 0);
        for (size_t i = 0; i < count; i++) {
            numbers[i] = (float)random_between(&random, -1.0, 1.0);
        }
        ok = store_writer_add(writer, &record, failure);
    }
    memory_free(numbers);
    return ok;
}

static void random_store_write(const char *path, size_t episodes, size_t steps,
                               struct failure *failure)
{
    const struct store_spec spec = {.domain = "bench",
                                    .simulator = "none",
                                    .source = "random numbers",
                                    .tasks = {"bench"},
                                    .reward_source = {"random numbers"},
                                    .task_count = 1,
                                    .observation_dim = RANDOM_STORE_OBSERVATIONS,
                                    .action_dim = RANDOM_STORE_ACTIONS,
                                    .control_timestep = 1.0};
    struct store_writer *writer = store_writer_open(path, &spec, failure);
    if (writer && random_store_fill(writer, episodes, steps, failure)) {
        store_writer_commit(writer, failure);
    } else if (writer) {
        store_writer_discard(writer);
    }
}

static bool random_store_make_folder(struct random_store *store, struct failure *failure)
{
    const char *parent = getenv("TMPDIR");
    (void)snprintf(store->folder, sizeof store->folder, "%s/chainring-bench-XXXXXX",
                   parent && *parent ? parent : "/tmp");
    if (mkdtemp(store->folder)) {
        return true;
    }
    failure_set(failure, EXIT_CODE_IO,
                "%s: cannot be made (%s), expected room for a temporary folder; set TMPDIR",
                store->folder, strerror(errno));
    store->folder[0] = '\0';
    return false;
}

void random_store_make(struct random_store *store, size_t episodes, size_t steps,
                       struct failure *failure)
{
    *store = (struct random_store){.folder = ""};
    if (comm_rank() == 0 && random_store_make_folder(store, failure) &&
        file_join(store->path, store->folder, "bench.h5", failure)) {
        random_store_write(store->path, episodes, steps, failure);
    }
    comm_broadcast(store->path, sizeof store->path);
    comm_broadcast(failure, sizeof *failure);
}

void random_store_remove(const struct random_store *store, struct failure *failure)
{
    comm_barrier();
    if (comm_rank() == 0 && store->folder[0] != '\0') {
        file_remove_tree(store->folder, failure);
    }
}
