#include "datasets/store_episode.h"

#include "base/floating_point.h"

const void *store_episode_rows(const struct store_episode *episode,
                               const struct store_array arrays[STORE_ARRAYS], size_t array,
                               size_t *rows)
{
    *rows = episode->length;
    if (arrays[array].name[0] == '\0') {
        return NULL;
    }
    switch (array) {
    case STORE_OBSERVATION:
        *rows = episode->length + 1;
        return episode->observation;
    case STORE_ACTION:
        return episode->action;
    case STORE_PHYSICS:
        *rows = episode->length + 1;
        return episode->physics;
    case STORE_HIDDEN:
        *rows = 1;
        return episode->hidden;
    default:
        return episode->reward[array - STORE_REWARD];
    }
}

size_t store_episode_first_row(size_t array, struct store_position position)
{
    switch (array) {
    case STORE_OBSERVATION:
    case STORE_PHYSICS:
        return position.step +
               position.episode; /* every episode before has one row more than steps */
    case STORE_HIDDEN:
        return position.episode;
    default:
        return position.step;
    }
}

static bool are_finite(const void *values, enum store_number number, size_t count)
{
    return count ==
           (number == STORE_F32 ? finite_single(values, count) : finite_double(values, count));
}

static bool check_numbers(const struct store_episode *episode,
                          const struct store_array arrays[STORE_ARRAYS], const char *path,
                          size_t number, struct failure *failure)
{
    for (size_t i = 0; i < STORE_START; i++) {
        size_t rows;
        const void *values = store_episode_rows(episode, arrays, i, &rows);
        invariant(values || arrays[i].name[0] == '\0');
        if (values && !are_finite(values, arrays[i].number, rows * arrays[i].columns)) {
            return store_refuse(path, "finite numbers only", failure,
                                "NaN or infinity in %s of episode %zu", arrays[i].name, number);
        }
    }
    return true;
}

bool store_episode_check(const struct store_episode *episode, const struct store_spec *spec,
                         const struct store_array arrays[STORE_ARRAYS], const char *path,
                         size_t number, struct failure *failure)
{
    if (episode->length == 0 || episode->length > STORE_STEPS_MAX) {
        return store_refuse(path, "at least one step, and room for them in the format", failure,
                            "%zu steps in episode %zu", episode->length, number);
    }
    if (episode->end > STORE_END_TRUNCATED) {
        return store_refuse(path, "unknown, terminated or truncated", failure,
                            "end %d of episode %zu", (int)episode->end, number);
    }
    if (spec->source_count > 0 && episode->source >= spec->source_count) {
        return store_refuse(path, "one that has a name", failure, "source %zu of episode %zu",
                            episode->source, number);
    }
    return check_numbers(episode, arrays, path, number, failure);
}

uint64_t store_episode_hash(const struct store_episode *episode,
                            const struct store_array arrays[STORE_ARRAYS])
{
    struct store_hash hash = store_hash_begin();
    for (size_t i = 0; i < STORE_START; i++) {
        size_t rows;
        const void *values = store_episode_rows(episode, arrays, i, &rows);
        if (values) {
            store_hash_add(&hash, values, rows * store_row_bytes(&arrays[i]));
        }
    }
    return store_hash_end(&hash);
}
