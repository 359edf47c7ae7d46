#include "datasets/formats/formats.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "datasets/episode_buffer.h"
#include "datasets/formats/description.h"
#include "datasets/formats/npz.h"
#include "datasets/store_verify.h"

/* What an episode's arrays lack of a file's: the row of the reset, with an action and rewards of 0
 * (memory begins as zeros and nothing writes there). */
struct episode_rows {
    float *action;   /* (rows, action_dim) */
    float *reward;   /* (rows, tasks) */
    float *discount; /* (rows) */
};

static void exorl_make_rows(const struct episode_rows *rows, const struct store_episode *episode,
                            const struct store_spec *spec)
{
    float *action = rows->action + spec->action_dim;
    memcpy(action, episode->action, episode->length * spec->action_dim * sizeof *action);
    action_space_restore_rows(&spec->actions, action, episode->length);
    for (size_t t = 0; t < episode->length; t++) {
        for (size_t k = 0; k < spec->task_count; k++) {
            rows->reward[(t + 1) * spec->task_count + k] = episode->reward[k][t];
        }
        rows->discount[t] = 1.0F;
    }
    rows->discount[episode->length] = episode->end == STORE_END_TERMINATED ? 0.0F : 1.0F;
}

static bool exorl_write_episode(const char *folder, const struct episode_rows *rows,
                                const struct store_episode *episode, const struct store_spec *spec,
                                size_t number, struct failure *failure)
{
    size_t count = episode->length + 1;
    const struct npz_array arrays[] = {
        {"observation", episode->observation, NUMBER_F32, count, spec->observation_dim},
        {"action", rows->action, NUMBER_F32, count, spec->action_dim},
        {"reward", rows->reward, NUMBER_F32, count, spec->task_count},
        {"discount", rows->discount, NUMBER_F32, count, 1},
        {"physics", episode->physics, NUMBER_F64, count, spec->physics_dim},
        {"hidden", episode->hidden, NUMBER_F64, 1, spec->hidden_dim},
    };
    struct npz_array used[sizeof arrays / sizeof *arrays];
    size_t used_count = 0;
    for (size_t i = 0; i < sizeof arrays / sizeof *arrays; i++) {
        if (arrays[i].columns > 0) {
            used[used_count++] = arrays[i];
        }
    }
    char name[64];
    char path[FILE_PATH_MAX];
    snprintf(name, sizeof name, "episode_%06zu_%zu.npz", number, episode->length);
    return file_join(path, folder, name, failure) && npz_write(path, used, used_count, failure);
}

static bool exorl_write_all(const char *folder, const struct store *store, struct failure *failure)
{
    const struct store_spec *spec = store_spec(store);
    size_t rows_max = store_length_max(store) + 1;
    struct episode_buffer buffer = {0};
    const struct episode_rows rows = {
        .action = memory_take(rows_max * spec->action_dim, sizeof(float)),
        .reward = memory_take(rows_max * spec->task_count, sizeof(float)),
        .discount = memory_take(rows_max, sizeof(float)),
    };
    size_t count = store_episode_count(store);
    struct progress progress = progress_begin("convert", 0, count);
    bool ok = true;
    for (size_t number = 0; number < count && ok; number++) {
        struct store_episode episode;
        ok = store_read_episode(&episode, &buffer, store, number, failure);
        if (ok) {
            exorl_make_rows(&rows, &episode, spec);
            ok = exorl_write_episode(folder, &rows, &episode, spec, number, failure);
            progress_show(&progress, number + 1, "");
        }
    }
    episode_buffer_free(&buffer);
    memory_free(rows.action);
    memory_free(rows.reward);
    memory_free(rows.discount);
    return ok;
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

/* What the folder has no place for. */
static void warn_of_losses(const struct store *store, const char *path)
{
    const struct store_spec *spec = store_spec(store);
    bool has_groups = false;
    for (size_t i = 1; i < store_episode_count(store); i++) {
        has_groups = has_groups || store_group(store, i) != store_group(store, 0);
    }
    if (has_groups || spec->has_label || spec->source_count > 1) {
        log_warning("%s: groups, labels of actions and who acted are left out as far as there are "
                    "any, an ExoRL folder has no place for them; --convert.to=minari keeps them",
                    path);
    }
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
    warn_of_losses(store, path);
    return format_folder_begin(&staging, folder, path, failure) &&
           format_folder_end(&staging, exorl_fill_folder(folder, store, failure), failure);
}

const struct format_writer format_exorl_writer = {.name = "exorl", .write = exorl_write};
