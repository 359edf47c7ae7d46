#include "datasets/formats/formats.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/description.h"
#include "datasets/formats/npz.h"

/* An episode's arrays with the row of the reset. */
struct episode_rows {
    struct episode_buffer buffer;
    float *reward_rows; /* (rows, tasks) */
    float *discount;    /* (rows) */
};

/* Row 0 is the reset, with an action and rewards of 0 (memory begins as zeros and nothing writes
 * there). */
static bool exorl_read_rows(struct episode_rows *rows, const struct store *store, size_t episode,
                            struct failure *failure)
{
    const struct store_spec *spec = store_spec(store);
    size_t length = store_length(store, episode);
    if (!store_read_observation(store, episode, 0, length + 1, rows->buffer.observation, failure) ||
        !store_read_action(store, episode, 0, length, rows->buffer.action + spec->action_dim,
                           failure) ||
        !store_read_physics(store, episode, 0, length + 1, rows->buffer.physics, failure) ||
        !store_read_hidden(store, episode, rows->buffer.hidden, failure)) {
        return false;
    }
    action_space_restore_rows(&spec->actions, rows->buffer.action + spec->action_dim, length);
    for (size_t k = 0; k < spec->task_count; k++) {
        if (!store_read_reward(store, k, episode, 0, length, rows->buffer.reward[k], failure)) {
            return false;
        }
        for (size_t t = 0; t < length; t++) {
            rows->reward_rows[(t + 1) * spec->task_count + k] = rows->buffer.reward[k][t];
        }
    }
    for (size_t row = 0; row <= length; row++) {
        rows->discount[row] = 1.0F;
    }
    if (store_ending(store, episode) == STORE_END_TERMINATED) {
        rows->discount[length] = 0.0F;
    }
    return true;
}

static bool exorl_write_episode(const char *folder, const struct episode_rows *rows,
                                const struct store *store, size_t episode, struct failure *failure)
{
    const struct store_spec *spec = store_spec(store);
    size_t length = store_length(store, episode);
    size_t count = length + 1;
    struct npz_array arrays[] = {
        {"observation", rows->buffer.observation, NUMBER_F32, count, spec->observation_dim},
        {"action", rows->buffer.action, NUMBER_F32, count, spec->action_dim},
        {"reward", rows->reward_rows, NUMBER_F32, count, spec->task_count},
        {"discount", rows->discount, NUMBER_F32, count, 1},
        {"physics", rows->buffer.physics, NUMBER_F64, count, spec->physics_dim},
        {"hidden", rows->buffer.hidden, NUMBER_F64, 1, spec->hidden_dim},
    };
    size_t used = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].columns > 0) {
            arrays[used++] = arrays[i];
        }
    }
    char name[64];
    char path[FILE_PATH_MAX];
    snprintf(name, sizeof name, "episode_%06zu_%zu.npz", episode, length);
    return file_join(path, folder, name, failure) && npz_write(path, arrays, used, failure);
}

static bool exorl_write_all(const char *folder, const struct store *store, struct failure *failure)
{
    const struct store_spec *spec = store_spec(store);
    size_t rows_max = store_length_max(store) + 1;
    struct episode_rows rows = {
        .reward_rows = memory_take(rows_max * spec->task_count, sizeof(float)),
        .discount = memory_take(rows_max, sizeof(float)),
    };
    episode_buffer_reserve(&rows.buffer, spec, rows_max);
    size_t count = store_episode_count(store);
    struct progress progress = progress_begin("convert", 0, count);
    bool is_written = true;
    for (size_t episode = 0; episode < count && is_written; episode++) {
        is_written = exorl_read_rows(&rows, store, episode, failure) &&
                     exorl_write_episode(folder, &rows, store, episode, failure);
        if (is_written) {
            progress_show(&progress, episode + 1, "");
        }
    }
    episode_buffer_free(&rows.buffer);
    memory_free(rows.reward_rows);
    memory_free(rows.discount);
    return is_written;
}

/* The episodes, and beside them what only a store knows. */
static bool exorl_fill_folder(const char *folder, const struct store *store,
                              struct failure *failure)
{
    char path[FILE_PATH_MAX];
    return exorl_write_all(folder, store, failure) &&
           file_join(path, folder, "chainring.json", failure) &&
           description_write_file(path, store_spec(store), failure);
}

static bool exorl_write(const char *path, const struct store *store, struct failure *failure)
{
    struct staging staging;
    char folder[FILE_PATH_MAX];
    if (store_spec(store)->actions.kind == ACTION_CATEGORICAL) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%s: found discrete actions, expected continuous ones: an ExoRL folder "
                           "has no others; write --convert.to=minari",
                           store_path(store));
    }
    if (store_spec(store)->has_label || store_spec(store)->source_count > 0) {
        log_warning("%s: an ExoRL folder has no place for labels of actions and for who acted, "
                    "which are left out; --convert.to=minari keeps them",
                    path);
    }
    return format_folder_begin(&staging, folder, path, failure) &&
           format_folder_end(&staging, exorl_fill_folder(folder, store, failure), failure);
}

const struct format_writer format_exorl_writer = {.name = "exorl", .write = exorl_write};
