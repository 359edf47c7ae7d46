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

static void draw_numbers(float *numbers, size_t count, struct random *random)
{
    for (size_t i = 0; i < count; i++) {
        numbers[i] = (float)random_between(random, -1.0, 1.0);
    }
}

static bool add_episodes(struct store_writer *writer, const struct random_store_spec *spec,
                         struct failure *failure)
{
    size_t observations = (spec->steps + 1) * spec->observation_dim;
    size_t actions = spec->steps * spec->action_dim;
    float *numbers = memory_take(observations + actions + spec->steps, sizeof *numbers);
    float *action = numbers + observations;
    float *reward = action + actions;
    bool ok = true;
    for (size_t episode = 0; ok && episode < spec->episodes; episode++) {
        struct random random = random_stream(1, RANDOM_BENCH, episode, 0);
        draw_numbers(numbers, observations + actions + spec->steps, &random);
        const struct store_episode record = {.length = spec->steps,
                                             .observation = numbers,
                                             .action = action,
                                             .reward = {reward},
                                             .end = STORE_END_TRUNCATED};
        ok = store_writer_add(writer, &record, failure);
    }
    memory_free(numbers);
    return ok;
}

static bool write_store(const char *path, const struct random_store_spec *random_spec,
                        struct failure *failure)
{
    const struct store_spec spec = {.domain = "bench",
                                    .simulator = "none",
                                    .source = "random numbers",
                                    .tasks = {"bench"},
                                    .reward_source = {"random numbers"},
                                    .task_count = 1,
                                    .observation_dim = random_spec->observation_dim,
                                    .action_dim = random_spec->action_dim,
                                    .control_timestep = 1.0};
    const struct store_capacity capacity = {.episodes = random_spec->episodes,
                                            .steps = random_spec->episodes * random_spec->steps};
    struct store_writer *writer = store_writer_open(path, &spec, capacity, failure);
    if (!writer) {
        return false;
    }
    if (!add_episodes(writer, random_spec, failure)) {
        store_writer_discard(writer);
        return false;
    }
    return store_writer_commit(writer, failure);
}

static bool make_folder(struct random_store *store, struct failure *failure)
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

void random_store_make(struct random_store *store, const struct random_store_spec *spec,
                       struct failure *failure)
{
    *store = (struct random_store){.folder = ""};
    if (comm_rank() == 0 && make_folder(store, failure) &&
        file_join(store->path, store->folder, "bench.h5", failure)) {
        write_store(store->path, spec, failure);
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
