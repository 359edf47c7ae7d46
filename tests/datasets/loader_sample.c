#include "tests/support/support.h"

#include "tests/datasets/loader_sample.h"

#include <stdio.h>

#include "base/random.h"

/* Longer than one piece of reading. */
enum { LENGTH_MAX = 2600 };

static const size_t mixed_lengths[] = {1, 5, 17, 8, 3, 30, 2, 9, 14, 4, 1500, 20, 2600, 1024, 7};
const struct loader_sample_content loader_sample_mixed = {3, 5, mixed_lengths};

const struct mesh_position loader_sample_whole = {.ring_size = 1, .group_count = 1};
const struct chain_sampler loader_sample_sampler = {
    .trials_min = 1, .trials = TRIALS, .draws = TRIALS};

/* A number that belongs to one place in the store, of no special value. */
float loader_sample_number(size_t kind, size_t episode, size_t step, size_t item)
{
    uint32_t words[4];
    random_words_at(words, 1, RANDOM_TEST, step, (uint32_t)(episode * 8 + kind), (uint32_t)item);
    return (float)words[0] / (float)UINT32_MAX - 0.25f;
}

static void fill_record(float *observation, float *action, float *reward, size_t episode,
                        size_t length)
{
    for (size_t step = 0; step <= length; step++) {
        for (size_t i = 0; i < OBSERVATION_DIM; i++) {
            observation[step * OBSERVATION_DIM + i] = loader_sample_number(0, episode, step, i);
        }
        for (size_t i = 0; i < ACTION_DIM && step < length; i++) {
            action[step * ACTION_DIM + i] = loader_sample_number(1, episode, step, i);
        }
        if (step < length) {
            reward[step] = loader_sample_number(2, episode, step, 0);
        }
    }
}

static struct store_writer *begin_store(const char *path)
{
    struct store_spec spec = {.domain = "test",
                              .simulator = "none",
                              .source = "test",
                              .tasks = {"task"},
                              .reward_source = {"made up"},
                              .task_count = 1,
                              .observation_dim = OBSERVATION_DIM,
                              .action_dim = ACTION_DIM,
                              .control_timestep = 1.0};
    struct failure failure = {0};
    struct store_writer *writer = store_writer_open(path, &spec, &failure);
    assert_non_null(writer);
    return writer;
}

static float observation[(LENGTH_MAX + 1) * OBSERVATION_DIM];
static float action[LENGTH_MAX * ACTION_DIM];

static void add_episode(struct store_writer *writer, size_t length, const float *reward,
                        int64_t group)
{
    struct failure failure = {0};
    struct store_episode record = {.length = length,
                                   .observation = observation,
                                   .action = action,
                                   .reward = {reward},
                                   .group = group,
                                   .end = STORE_END_TRUNCATED};
    assert_true(store_writer_add(writer, &record, &failure));
}

static struct store *finish_store(struct store_writer *writer, const char *path)
{
    struct failure failure = {0};
    assert_true(store_writer_commit(writer, &failure));
    struct store *store = store_open(path, &failure);
    assert_non_null(store);
    return store;
}

struct store *loader_sample_store(const char *path, const struct loader_sample_content *content)
{
    static float reward[LENGTH_MAX];
    struct store_writer *writer = begin_store(path);
    for (size_t episode = 0; episode < content->groups * content->episodes; episode++) {
        fill_record(observation, action, reward, episode, content->lengths[episode]);
        add_episode(writer, content->lengths[episode], reward,
                    (int64_t)(episode / content->episodes));
    }
    return finish_store(writer, path);
}

/* Two episodes of one group whose rewards add up exactly. */
struct store *loader_sample_pair(const char *path, const float first[3], const float second[2])
{
    struct store_writer *writer = begin_store(path);
    static float unused[LENGTH_MAX];
    fill_record(observation, action, unused, 0, 3);
    add_episode(writer, 3, first, 0);
    fill_record(observation, action, unused, 1, 2);
    add_episode(writer, 2, second, 0);
    return finish_store(writer, path);
}

const char *loader_sample_path(void)
{
    static char path[128];
    snprintf(path, sizeof path, "%s/store.h5", support_scratch_folder());
    return path;
}

struct loader *loader_sample_open(const struct dataset *dataset, const struct scaling *scaling,
                                  enum loader_loss loss)
{
    struct loader_options options = {
        .chain = loader_sample_sampler, .contexts = CONTEXTS, .loss = loss, .seed = SEED};
    struct failure failure = {0};
    struct loader *loader = loader_open(dataset, scaling, &options, &failure);
    assert_non_null(loader);
    return loader;
}

void loader_sample_bind(struct loader_sample *bound, const struct loader *loader,
                        struct mesh_position position)
{
    struct failure failure = {0};
    struct arena measure = {0};
    struct loader_batch unbound;
    assert_true(loader_batch_bind(loader, &unbound, &measure, position, &failure));
    arena_open(&bound->arena, measure.peak);
    assert_true(loader_batch_bind(loader, &bound->loaded, &bound->arena, position, &failure));
    assert_int_equal(bound->arena.peak, measure.peak);
}

void loader_sample_unbind(struct loader_sample *bound)
{
    batch_close(&bound->loaded.batch);
    arena_close(&bound->arena);
}

void loader_sample_fill(struct loader *loader, struct loader_batch *loaded, uint64_t step)
{
    struct failure failure = {0};
    if (!loader_fill(loader, loaded, step, 0, &failure)) {
        fail_msg("%s", failure.text);
    }
}
