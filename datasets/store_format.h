/* What the reader and the writer of a trajectory store agree on (private to store*.c).
 *
 * The one list of the file's arrays, the index in memory, the rules for names and sizes, and the
 * hash. The writer creates what store_layout lists and the reader demands exactly that, so the two
 * cannot drift apart. Knows nothing of HDF5: that is store_reader.c and store_create.c. */
#ifndef CHAINRING_DATASETS_STORE_FORMAT_H
#define CHAINRING_DATASETS_STORE_FORMAT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/store.h"

#if __BYTE_ORDER__ != __ORDER_LITTLE_ENDIAN__
#error "a trajectory store is little-endian and its arrays are read as they lie in the file"
#endif

#define STORE_FORMAT "chainring-trajectories"

/* Bounds that keep every product of sizes far from overflow; checked before memory is allocated. */
enum { STORE_DIM_MAX = 1 << 16, STORE_EPISODES_MAX = 1 << 26 };
#define STORE_STEPS_MAX ((int64_t)1 << 40)

/* The percentiles of returns in a store's attributes. */
enum { STORE_PERCENTILES = 9 };
extern const double store_percentiles[STORE_PERCENTILES];

/* What a store calls the kinds of actions and of keys of observations. */
extern const char *const store_action_kinds[], *const store_key_kinds[STORE_KEY_KINDS];

/* --- Arrays ----------------------------------------------------------------------------------- */

enum store_number { STORE_F32, STORE_F64, STORE_I64, STORE_U64, STORE_U8 };

/* The arrays: first those that grow with the steps, then those of the index. */
enum store_array_key {
    STORE_OBSERVATION,
    STORE_ACTION,
    STORE_LABEL,
    STORE_REWARD, /* + task */
    STORE_PHYSICS = STORE_REWARD + STORE_TASKS_MAX,
    STORE_HIDDEN,
    STORE_START, /* the index begins here */
    STORE_LENGTH,
    STORE_ENDING,
    STORE_GROUP,
    STORE_HASH,
    STORE_SOURCE,
    STORE_RETURN,                                 /* + task */
    STORE_BLOCK = STORE_RETURN + STORE_TASKS_MAX, /* + array before STORE_HIDDEN: its hashes */
    STORE_ARRAYS = STORE_BLOCK + STORE_HIDDEN
};

/* Contiguous numbers in the file, rows x columns. The name is empty where a store does not have the
 * array. */
struct store_array {
    char name[STORE_NAME_MAX + 24];
    enum store_number number;
    int rank; /* 1: columns is 1 */
    size_t rows, columns;
    uint64_t offset; /* bytes from the beginning of the file */
};

size_t store_number_bytes(enum store_number number);
size_t store_row_bytes(const struct store_array *array);

/* How much a store holds. */
struct store_capacity {
    size_t episodes, steps;
    size_t blocks; /* of all episodes; 0 in versions before the third */
};

/* All arrays of a store; offsets are left 0. Local. */
void store_layout(struct store_array arrays[STORE_ARRAYS], const struct store_spec *spec,
                  struct store_capacity capacity);

/* The rows of an episode's arrays are hashed in blocks, as many for each array: its last one may be
 * short or empty. */
enum { STORE_BLOCK_ROWS = 256 };
size_t store_block_count(size_t length);

/* How many arrays have hashes of blocks: all before STORE_HIDDEN that there are. */
size_t store_hashed_arrays(const struct store_spec *spec);

/* --- An episode's rows ------------------------------------------------------------------------ */

/* The episode's rows of an array that is not the index's, and how many they are; NULL where the
 * store has no such array. */
const void *store_episode_rows(const struct store_episode *episode,
                               const struct store_array arrays[STORE_ARRAYS], size_t array,
                               size_t *rows);

/* How many episodes and steps come before an episode. */
struct store_position {
    size_t episode, step;
};

/* The first row of the episode in such an array. */
size_t store_episode_first_row(size_t array, struct store_position position);

/* Can it be stored: steps within bounds, finite numbers, a known end and source? False and
 * EXIT_CODE_DATA, naming `path` and the episode's `number`. */
bool store_episode_check(const struct store_episode *episode, const struct store_spec *spec,
                         const struct store_array arrays[STORE_ARRAYS], const char *path,
                         size_t number, struct failure *failure);

/* hashes (store_hashed_arrays x store_block_count): XXH3 of each block's rows. Returns the
 * episode's hash, which is that of these hashes and its hidden numbers. */
uint64_t store_episode_hash(uint64_t *hashes, const struct store_episode *episode,
                            const struct store_array arrays[STORE_ARRAYS]);

/* --- Rules ------------------------------------------------------------------------------------ */

/* Sets EXIT_CODE_DATA and "PATH: found FOUND, expected EXPECTED; ...". Returns false. */
bool store_refuse(const char *path, const char *expected, struct failure *failure,
                  const char *found, ...) __attribute__((format(printf, 4, 5)));

/* Fill in what a spec left out: actions are continuous. */
void store_complete_spec(struct store_spec *spec);

/* Names that can be part of a path inside the file, text that fits on one line, sizes in bounds. */
bool store_check_spec(const struct store_spec *spec, const char *path, struct failure *failure);

/* --- Index ------------------------------------------------------------------------------------ */

/* An episode's row of the index; holds no pointers, so that it can be logged. */
struct store_index_entry {
    uint64_t length, end, source;
    int64_t group;
    uint64_t hash;                   /* store_episode_hash */
    double returns[STORE_TASKS_MAX]; /* 0 beyond the tasks */
};

/* All but the hash. */
struct store_index_entry store_index_entry_of(const struct store_episode *episode);

struct store_index {
    size_t task_count;
    bool has_sources;
    size_t count;       /* episodes */
    size_t block_count; /* of all of them; 0 in versions before the third */
    int64_t *start, *length, *group;
    uint8_t *ending, *source; /* the source is 0 where there are none */
    uint64_t *hash;
    double *returns[STORE_TASKS_MAX];
    size_t *first_block;           /* (count): of each episode; not in the file */
    uint64_t *block[STORE_HIDDEN]; /* (block_count) of each array; NULL: it has none */
};

/* An empty index with room for so much; the caller closes it. */
void store_index_open(struct store_index *index, const struct store_spec *spec,
                      struct store_capacity capacity);
void store_index_close(struct store_index *index);

/* Append an episode and the hashes of its blocks right after the one before; there must be room. */
void store_index_append(struct store_index *index, const struct store_index_entry *entry,
                        const uint64_t *hashes);

/* The column of an array; NULL for arrays that are not the index's. */
void *store_index_column(const struct store_index *index, size_t array);

/* Over the bytes of all columns in the order of their arrays. */
uint64_t store_index_hash(const struct store_index *index,
                          const struct store_array arrays[STORE_ARRAYS]);

/* --- Hash ------------------------------------------------------------------------------------- */

/* XXH3 (64 bits, seed 0). */
uint64_t store_hash_of(const void *bytes, size_t count);

/* The same over bytes that come in pieces; store_hash_end releases it. */
struct store_hash {
    void *state;
};
struct store_hash store_hash_begin(void);
void store_hash_add(struct store_hash *hash, const void *bytes, size_t count);
uint64_t store_hash_end(struct store_hash *hash);

/* The attributes beyond the spec. */
struct store_summary {
    size_t episodes, steps, blocks;
    uint64_t index_hash;
    double *observation_mean, *observation_deviation; /* (observation_dim) */
    double return_minimum[STORE_TASKS_MAX], return_maximum[STORE_TASKS_MAX];
    double return_mean[STORE_TASKS_MAX];
    double return_percentiles[STORE_TASKS_MAX][STORE_PERCENTILES];
};

/* Over the values of all attributes: texts with a closing zero, counts as uint64. */
uint64_t store_description_hash(const struct store_spec *spec, const struct store_summary *summary);

/* --- An open store ---------------------------------------------------------------------------- */

struct store {
    char *path;
    int file; /* descriptor, read only; -1 before it is open */
    uint64_t file_bytes;
    int version; /* of the format */
    struct store_spec spec;
    size_t length_max;
    struct store_array arrays[STORE_ARRAYS];
    struct store_index index;
    struct store_summary summary;
};

/* Positioned read of exactly `bytes`; false and EXIT_CODE_IO otherwise. Thread-safe. */
bool store_read_bytes(const struct store *store, void *into, size_t bytes, uint64_t offset,
                      struct failure *failure);

#endif
