#include "datasets/store_format.h"

#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define XXH_INLINE_ALL /* with the instructions that all of this is compiled for */
#include <xxhash.h>

#include "base/arithmetic.h"
#include "base/floating_point.h"

const double store_percentiles[STORE_PERCENTILES] = {1, 5, 10, 25, 50, 75, 90, 95, 99};

const char *const store_action_kinds[] = {
    [ACTION_CONTINUOUS] = "continuous",
    [ACTION_CATEGORICAL] = "categorical",
};

const char *const store_key_kinds[STORE_KEY_KINDS] = {
    [STORE_KEY_BOX] = "box",
    [STORE_KEY_DISCRETE] = "discrete",
    [STORE_KEY_MULTI_DISCRETE] = "multi_discrete",
    [STORE_KEY_MULTI_BINARY] = "multi_binary",
};

size_t store_number_bytes(enum store_number number)
{
    switch (number) {
    case STORE_F32:
        return 4;
    case STORE_U8:
        return 1;
    case STORE_F64:
    case STORE_I64:
    case STORE_U64:
        return 8;
    }
    invariant(!"a kind of number that there is");
    return 0;
}

size_t store_row_bytes(const struct store_array *array)
{
    return array->columns * store_number_bytes(array->number);
}

static struct store_array matrix_array(const char *name, enum store_number number, size_t rows,
                                       size_t columns)
{
    struct store_array array = {.number = number, .rank = 2, .rows = rows, .columns = columns};
    if (columns > 0) {
        snprintf(array.name, sizeof array.name, "%s", name);
    }
    return array;
}

static struct store_array vector_array(const char *group, const char *name,
                                       enum store_number number, size_t rows)
{
    struct store_array array = {.number = number, .rank = 1, .rows = rows, .columns = 1};
    snprintf(array.name, sizeof array.name, "%s/%s", group, name);
    return array;
}

size_t store_block_count(size_t length)
{
    return length / STORE_BLOCK_ROWS + 1; /* an episode has one observation more than steps */
}

static void layout_block_hashes(struct store_array arrays[STORE_ARRAYS], size_t blocks)
{
    for (size_t i = 0; blocks > 0 && i < STORE_HIDDEN; i++) {
        if (arrays[i].name[0] != '\0') {
            arrays[STORE_BLOCK + i] = vector_array("block/hash", arrays[i].name, STORE_U64, blocks);
        }
    }
}

void store_layout(struct store_array arrays[STORE_ARRAYS], const struct store_spec *spec,
                  struct store_capacity capacity)
{
    size_t steps = capacity.steps;
    size_t episodes = capacity.episodes;
    size_t states = steps + episodes; /* an episode of T steps has T + 1 states */
    memset(arrays, 0, STORE_ARRAYS * sizeof *arrays);
    arrays[STORE_OBSERVATION] =
        matrix_array("observation", STORE_F32, states, spec->observation_dim);
    arrays[STORE_ACTION] = matrix_array("action", STORE_F32, steps, spec->action_dim);
    arrays[STORE_LABEL] =
        matrix_array("action_label", STORE_F32, steps, spec->has_label ? spec->action_dim : 0);
    arrays[STORE_PHYSICS] = matrix_array("physics", STORE_F64, states, spec->physics_dim);
    arrays[STORE_HIDDEN] = matrix_array("episode/hidden", STORE_F64, episodes, spec->hidden_dim);
    arrays[STORE_START] = vector_array("episode", "start", STORE_I64, episodes);
    arrays[STORE_LENGTH] = vector_array("episode", "length", STORE_I64, episodes);
    arrays[STORE_ENDING] = vector_array("episode", "end", STORE_U8, episodes);
    arrays[STORE_GROUP] = vector_array("episode", "group", STORE_I64, episodes);
    arrays[STORE_HASH] = vector_array("episode", "hash", STORE_U64, episodes);
    if (spec->source_count > 0) {
        arrays[STORE_SOURCE] = vector_array("episode", "source", STORE_U8, episodes);
    }
    for (size_t k = 0; k < spec->task_count; k++) {
        arrays[STORE_REWARD + k] = vector_array("reward", spec->tasks[k], STORE_F32, steps);
        arrays[STORE_RETURN + k] =
            vector_array("episode/return", spec->tasks[k], STORE_F64, episodes);
    }
    layout_block_hashes(arrays, capacity.blocks);
}

size_t store_hashed_arrays(const struct store_spec *spec)
{
    return 2 + spec->has_label + spec->task_count + (spec->physics_dim > 0);
}

bool store_refuse(const char *path, const char *expected, struct failure *failure,
                  const char *found, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, found);
    vsnprintf(text, sizeof text, found, arguments);
    va_end(arguments);
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s: found %s, expected %s; collect or convert the data again", path, text,
                       expected);
}

/* A name is one component of a path inside the file: no slash, no leading dot, no blanks. */
static bool is_name(const char *text)
{
    size_t length = strnlen(text, STORE_NAME_MAX);
    if (length == 0 || length == STORE_NAME_MAX || text[0] == '.') {
        return false;
    }
    return strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") ==
           length;
}

/* The bytes of the UTF-8 character at `at`, or 0 where none begins (RFC 3629, table 3-7). */
static size_t character_bytes(const unsigned char *at)
{
    if (at[0] < 0x80) {
        return at[0] >= 0x20 && at[0] != 0x7f;
    }
    size_t bytes = at[0] >= 0xf0 ? 4 : at[0] >= 0xe0 ? 3 : 2;
    unsigned char low = at[0] == 0xe0 ? 0xa0 : at[0] == 0xf0 ? 0x90 : 0x80;
    unsigned char high = at[0] == 0xed ? 0x9f : at[0] == 0xf4 ? 0x8f : 0xbf;
    if (at[0] < 0xc2 || at[0] > 0xf4 || at[1] < low || at[1] > high) {
        return 0;
    }
    for (size_t i = 2; i < bytes; i++) {
        if (at[i] < 0x80 || at[i] > 0xbf) {
            return 0;
        }
    }
    return bytes;
}

/* One line of UTF-8 that ends within `size` bytes. */
static bool is_line(const char *text, size_t size)
{
    if (strnlen(text, size) == size) {
        return false;
    }
    const unsigned char *at = (const unsigned char *)text;
    while (*at) {
        size_t bytes = character_bytes(at);
        if (bytes == 0) {
            return false;
        }
        at += bytes;
    }
    return true;
}

static bool spec_check_dim(const char *path, const char *name, size_t dim, size_t least,
                           struct failure *failure)
{
    if (dim >= least && dim <= STORE_DIM_MAX) {
        return true;
    }
    char expected[64];
    snprintf(expected, sizeof expected, "%zu to %d", least, STORE_DIM_MAX);
    return store_refuse(path, expected, failure, "%s = %zu", name, dim);
}

static bool spec_check_tasks(const struct store_spec *spec, const char *path,
                             struct failure *failure)
{
    static const char *const plain = "letters, digits, '_', '-' and '.' (not first)";
    if (spec->task_count == 0 || spec->task_count > STORE_TASKS_MAX) {
        return store_refuse(path, "1 to 16", failure, "%zu tasks", spec->task_count);
    }
    for (size_t k = 0; k < spec->task_count; k++) {
        if (!is_name(spec->tasks[k])) {
            return store_refuse(path, plain, failure, "other characters in the name of task %zu",
                                k);
        }
        if (!is_line(spec->reward_source[k], STORE_NAME_MAX)) {
            return store_refuse(path, "one line of UTF-8", failure,
                                "other bytes in the reward_source of task %zu", k);
        }
        for (size_t other = 0; other < k; other++) {
            if (strcmp(spec->tasks[k], spec->tasks[other]) == 0) {
                return store_refuse(path, "tasks of different names", failure, "the task %s twice",
                                    spec->tasks[k]);
            }
        }
    }
    return true;
}

static bool spec_check_sources(const struct store_spec *spec, const char *path,
                               struct failure *failure)
{
    if (spec->source_count > STORE_SOURCES_MAX) {
        return store_refuse(path, "at most 64", failure, "%zu sources", spec->source_count);
    }
    for (size_t k = 0; k < spec->source_count; k++) {
        if (!is_line(spec->sources[k], STORE_NAME_MAX)) {
            return store_refuse(path, "one line of UTF-8", failure,
                                "other bytes in the name of source %zu", k);
        }
    }
    return true;
}

static bool spec_check_keys(const struct store_spec *spec, const char *path,
                            struct failure *failure)
{
    size_t sum = 0;
    if (spec->key_count > STORE_KEYS_MAX) {
        return store_refuse(path, "at most 64", failure, "%zu observation_keys", spec->key_count);
    }
    for (size_t k = 0; k < spec->key_count; k++) {
        if (!is_line(spec->keys[k].name, STORE_NAME_MAX)) {
            return store_refuse(path, "one line of UTF-8", failure,
                                "other bytes in the name of observation key %zu", k);
        }
        if ((int)spec->keys[k].kind >= (int)STORE_KEY_KINDS) {
            return store_refuse(path, "a kind of space", failure, "kind %d of observation key %zu",
                                (int)spec->keys[k].kind, k);
        }
        sum += spec->keys[k].dim;
    }
    return spec->key_count == 0 || sum == spec->observation_dim ||
           store_refuse(path, "as many as an observation has", failure,
                        "%zu numbers in observation_keys", sum);
}

void store_complete_spec(struct store_spec *spec)
{
    if (spec->actions.dim == 0 && spec->action_dim <= ACTION_DIM_MAX) {
        spec->actions = action_space_continuous(spec->action_dim);
    }
}

bool store_check_spec(const struct store_spec *spec, const char *path, struct failure *failure)
{
    if (!is_line(spec->domain, STORE_NAME_MAX) || spec->domain[0] == '\0') {
        return store_refuse(path, "a name", failure, "no readable domain");
    }
    if (!is_line(spec->simulator, STORE_NAME_MAX) || !is_line(spec->source, STORE_TEXT_MAX)) {
        return store_refuse(path, "one line of UTF-8", failure,
                            "other bytes in simulator or source");
    }
    if (!isfinite(spec->control_timestep) || spec->control_timestep <= 0.0) {
        return store_refuse(path, "seconds above 0", failure, "control_timestep = %g",
                            spec->control_timestep);
    }
    return spec_check_tasks(spec, path, failure) && spec_check_sources(spec, path, failure) &&
           spec_check_dim(path, "obs_dim", spec->observation_dim, 1, failure) &&
           spec_check_dim(path, "act_dim", spec->action_dim, 1, failure) &&
           action_space_check(&spec->actions, path, EXIT_CODE_DATA, failure) &&
           (spec->actions.dim == spec->action_dim ||
            store_refuse(path, "act_dim", failure, "a space of actions of %zu numbers",
                         spec->actions.dim)) &&
           spec_check_keys(spec, path, failure) &&
           spec_check_dim(path, "physics_dim", spec->physics_dim, 0, failure) &&
           spec_check_dim(path, "hidden_dim", spec->hidden_dim, 0, failure);
}

uint64_t store_hash_of(const void *bytes, size_t count)
{
    return XXH3_64bits(bytes, count);
}

struct store_hash store_hash_begin(void)
{
    XXH3_state_t *state = XXH3_createState();
    if (!state || XXH3_64bits_reset(state) != XXH_OK) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused the state of a hash");
    }
    return (struct store_hash){.state = state};
}

void store_hash_add(struct store_hash *hash, const void *bytes, size_t count)
{
    if (count > 0) {
        XXH3_64bits_update(hash->state, bytes, count);
    }
}

uint64_t store_hash_end(struct store_hash *hash)
{
    uint64_t value = XXH3_64bits_digest(hash->state);
    XXH3_freeState(hash->state);
    hash->state = NULL;
    return value;
}

/* --- An episode's rows ------------------------------------------------------------------------ */

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
    case STORE_LABEL:
        return episode->label;
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
        return position.step + position.episode; /* an episode has one row more than steps */
    case STORE_HIDDEN:
        return position.episode;
    default:
        return position.step;
    }
}

/* A label is a row of numbers or, where it is unknown, of NaN. */
static bool check_labels(const struct store_episode *episode, const struct store_spec *spec,
                         const char *path, size_t number, struct failure *failure)
{
    size_t dim = spec->action_dim;
    for (size_t t = 0; spec->has_label && t < episode->length; t++) {
        size_t unknown = 0, finite = 0;
        for (size_t i = 0; i < dim; i++) {
            unknown += isnan(episode->label[t * dim + i]) != 0;
            finite += isfinite(episode->label[t * dim + i]) != 0;
        }
        if (unknown != dim && finite != dim) {
            return store_refuse(path, "finite numbers, or NaN in the whole row", failure,
                                "NaN or infinity in row %zu of action_label of episode %zu", t,
                                number);
        }
    }
    return true;
}

/* Is a row one one-hot vector for each choice? */
static bool is_one_hot_each(const float *row, const struct action_space *space)
{
    for (size_t k = 0; k < space->categorical_count; k++) {
        size_t ones = 0, zeros = 0;
        for (size_t i = 0; i < space->categories[k]; i++) {
            ones += row[i] == 1.0F;
            zeros += row[i] == 0.0F;
        }
        if (ones != 1 || ones + zeros != space->categories[k]) {
            return false;
        }
        row += space->categories[k];
    }
    return true;
}

static bool is_in_box(const float *row, size_t dim)
{
    bool ok = true;
    for (size_t i = 0; i < dim; i++) {
        ok = ok && row[i] >= -1.0F && row[i] <= 1.0F;
    }
    return ok;
}

static bool check_actions(const struct store_episode *episode, const struct store_spec *spec,
                          const char *path, size_t number, struct failure *failure)
{
    size_t dim = spec->action_dim;
    bool is_categorical = spec->actions.kind == ACTION_CATEGORICAL;
    for (size_t t = 0; t < episode->length; t++) {
        const float *row = episode->action + t * dim;
        if (is_categorical ? !is_one_hot_each(row, &spec->actions) : !is_in_box(row, dim)) {
            return store_refuse(path, is_categorical ? "one-hot vectors" : "numbers in [-1, 1]",
                                failure, "another action in row %zu of episode %zu", t, number);
        }
    }
    return true;
}

static bool check_numbers(const struct store_episode *episode, const struct store_spec *spec,
                          const struct store_array arrays[STORE_ARRAYS], const char *path,
                          size_t number, struct failure *failure)
{
    for (size_t i = 0; i < STORE_START; i++) {
        size_t rows;
        const void *values = store_episode_rows(episode, arrays, i, &rows);
        invariant(values || arrays[i].name[0] == '\0');
        size_t count = values && i != STORE_LABEL ? rows * arrays[i].columns : 0;
        size_t finite = arrays[i].number == STORE_F32 ? finite_single(values, count)
                                                      : finite_double(values, count);
        if (finite < count) {
            return store_refuse(path, "finite numbers only", failure,
                                "NaN or infinity in %s of episode %zu", arrays[i].name, number);
        }
    }
    return check_actions(episode, spec, path, number, failure) &&
           check_labels(episode, spec, path, number, failure);
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
    return check_numbers(episode, spec, arrays, path, number, failure);
}

/* Of the blocks of one array of an episode. */
static void hash_blocks(uint64_t *hashes, size_t count, const void *values, size_t rows,
                        size_t row_bytes)
{
    const char *bytes = values;
    for (size_t block = 0; block < count; block++) {
        size_t first = size_min(block * STORE_BLOCK_ROWS, rows);
        size_t in_block = size_min(rows - first, STORE_BLOCK_ROWS);
        hashes[block] = store_hash_of(bytes + first * row_bytes, in_block * row_bytes);
    }
}

uint64_t store_episode_hash(uint64_t *hashes, const struct store_episode *episode,
                            const struct store_array arrays[STORE_ARRAYS])
{
    size_t blocks = store_block_count(episode->length);
    size_t count = 0;
    size_t rows;
    for (size_t i = 0; i < STORE_HIDDEN; i++) {
        const void *values = store_episode_rows(episode, arrays, i, &rows);
        if (values) {
            hash_blocks(hashes + count, blocks, values, rows, store_row_bytes(&arrays[i]));
            count += blocks;
        }
    }
    struct store_hash hash = store_hash_begin();
    store_hash_add(&hash, hashes, count * sizeof *hashes);
    const void *hidden = store_episode_rows(episode, arrays, STORE_HIDDEN, &rows);
    store_hash_add(&hash, hidden, hidden ? store_row_bytes(&arrays[STORE_HIDDEN]) : 0);
    return store_hash_end(&hash);
}

/* --- Attributes ------------------------------------------------------------------------------- */

/* With the zero at its end, so that texts are told apart. */
static void hash_text(struct store_hash *hash, const char *text)
{
    store_hash_add(hash, text, strlen(text) + 1);
}

static void hash_count(struct store_hash *hash, size_t count)
{
    uint64_t number = count;
    store_hash_add(hash, &number, sizeof number);
}

static void hash_doubles(struct store_hash *hash, const double *values, size_t count)
{
    store_hash_add(hash, values, count * sizeof *values);
}

static void hash_spaces(struct store_hash *hash, const struct store_spec *spec)
{
    const struct action_space *actions = &spec->actions;
    hash_count(hash, actions->kind);
    hash_count(hash, actions->categorical_count);
    for (size_t k = 0; k < actions->categorical_count; k++) {
        hash_count(hash, actions->categories[k]);
    }
    hash_doubles(hash, actions->low, actions->kind == ACTION_CONTINUOUS ? actions->dim : 0);
    hash_doubles(hash, actions->high, actions->kind == ACTION_CONTINUOUS ? actions->dim : 0);
    hash_count(hash, spec->has_label);
    hash_count(hash, spec->key_count);
    for (size_t k = 0; k < spec->key_count; k++) {
        hash_text(hash, spec->keys[k].name);
        hash_count(hash, spec->keys[k].kind);
        hash_count(hash, spec->keys[k].dim);
    }
}

uint64_t store_description_hash(const struct store_spec *spec, const struct store_summary *summary)
{
    struct store_hash hash = store_hash_begin();
    hash_text(&hash, spec->domain);
    hash_text(&hash, spec->simulator);
    hash_text(&hash, spec->source);
    hash_count(&hash, spec->task_count);
    for (size_t k = 0; k < spec->task_count; k++) {
        hash_text(&hash, spec->tasks[k]);
        hash_text(&hash, spec->reward_source[k]);
    }
    hash_count(&hash, spec->source_count);
    for (size_t k = 0; k < spec->source_count; k++) {
        hash_text(&hash, spec->sources[k]);
    }
    const size_t counts[] = {spec->observation_dim, spec->action_dim,  spec->physics_dim,
                             spec->hidden_dim,      summary->episodes, summary->steps,
                             summary->blocks};
    for (size_t i = 0; i < sizeof counts / sizeof *counts; i++) {
        hash_count(&hash, counts[i]);
    }
    hash_doubles(&hash, &spec->control_timestep, 1);
    hash_spaces(&hash, spec);
    store_hash_add(&hash, &summary->index_hash, sizeof summary->index_hash);
    hash_doubles(&hash, summary->observation_mean, spec->observation_dim);
    hash_doubles(&hash, summary->observation_deviation, spec->observation_dim);
    hash_doubles(&hash, summary->return_minimum, spec->task_count);
    hash_doubles(&hash, summary->return_mean, spec->task_count);
    hash_doubles(&hash, summary->return_maximum, spec->task_count);
    hash_doubles(&hash, summary->return_percentiles[0], spec->task_count * STORE_PERCENTILES);
    return store_hash_end(&hash);
}
