#include <errno.h>
#include <fcntl.h>
#include <hdf5.h>
#include <math.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arithmetic.h"
#include "base/memory.h"
#include "datasets/store_attributes.h"
#include "datasets/store_format.h"

/* --- The file, before the HDF5 library sees it ------------------------------------------------ */

static bool open_regular_file(struct store *store, struct failure *failure)
{
    /* Without O_NONBLOCK, opening a pipe would wait for its writer. */
    store->file = open(store->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    struct stat status;
    if (store->file < 0 || fstat(store->file, &status) != 0) {
        return failure_set(
            failure, EXIT_CODE_NO_INPUT,
            "%s: cannot be opened (%s), expected a trajectory store; check the name, "
            "or collect or convert data first",
            store->path, strerror(errno));
    }
    if (!S_ISREG(status.st_mode)) {
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found %s, expected a trajectory store; name its file, or make one: "
                           "chainring convert %s --output=NEW.h5",
                           store->path,
                           S_ISDIR(status.st_mode) ? "a folder" : "something that is not a file",
                           store->path);
    }
    store->file_bytes = (uint64_t)status.st_size;
    return true;
}

/* The HDF5 superblock, versions 2 and 3 (HDF5 File Format Specification 3.0, section II.A), whose
 * metadata have checksums; damage to older ones can go unnoticed. */
static bool check_superblock(const struct store *store, struct failure *failure)
{
    enum { SUPERBLOCK_BYTES = 48, VERSION_AT = 8, OFFSET_BYTES_AT = 9, END_AT = 28 };
    static const unsigned char signature[8] = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
    unsigned char block[SUPERBLOCK_BYTES];
    if (store->file_bytes < sizeof block) {
        return store_refuse(store->path, "a trajectory store (HDF5)", failure,
                            "a file of %llu bytes", (unsigned long long)store->file_bytes);
    }
    if (!store_read_bytes(store, block, sizeof block, 0, failure)) {
        return false;
    }
    if (memcmp(block, signature, sizeof signature) != 0) {
        return store_refuse(store->path, "a trajectory store", failure, "a file that is not HDF5");
    }
    if (block[VERSION_AT] < 2 || block[VERSION_AT] > 3 || block[OFFSET_BYTES_AT] != 8) {
        return failure_set(
            failure, EXIT_CODE_DATA,
            "%s: found HDF5 with superblock version %d, expected 2 or 3, as a "
            "trajectory store has it (h5py: libver=\"v110\"); if it is a data set of "
            "others, make a store: chainring convert %s --output=NEW.h5",
            store->path, block[VERSION_AT], store->path);
    }
    uint64_t end;
    memcpy(&end, block + END_AT, sizeof end);
    if (end > store->file_bytes) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found %llu bytes, expected %llu; the file is truncated: copy it "
                           "again or make it again",
                           store->path, (unsigned long long)store->file_bytes,
                           (unsigned long long)end);
    }
    return true;
}

/* --- The file, through the HDF5 library ------------------------------------------------------- */

/* The path may name another file than when the descriptor was opened. */
static bool is_same_file(hid_t file, int descriptor)
{
    void *handle = NULL;
    struct stat ours, theirs;
    return H5Fget_vfd_handle(file, H5P_DEFAULT, &handle) >= 0 && handle &&
           fstat(*(const int *)handle, &theirs) == 0 && fstat(descriptor, &ours) == 0 &&
           ours.st_dev == theirs.st_dev && ours.st_ino == theirs.st_ino;
}

static hid_t store_open_hdf5(const struct store *store, struct failure *failure)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL); /* messages are our own */
    H5PLset_loading_state(0);              /* a file must not have code loaded */
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t file = -1;
    /* A store never changes once it has its name, so readers need no lock (and some network file
     * systems have none). */
    if (access >= 0 && H5Pset_fapl_sec2(access) >= 0 && H5Pset_file_locking(access, 0, 1) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0) {
        file = H5Fopen(store->path, H5F_ACC_RDONLY, access);
    }
    H5Pclose(access);
    if (file >= 0 && is_same_file(file, store->file)) {
        return file;
    }
    if (file >= 0) {
        H5Fclose(file);
    }
    store_refuse(store->path, "a whole trajectory store", failure,
                 "damage that keeps the HDF5 library from opening it");
    return -1;
}

static bool read_version(int *version, const struct store_attributes *from)
{
    char format[STORE_NAME_MAX];
    int64_t found = 0;
    size_t count;
    if (!store_attribute_strings(from, "format", 1, sizeof format, format, &count)) {
        return false;
    }
    if (strcmp(format, STORE_FORMAT) != 0) {
        return store_refuse(from->path, "format = \"" STORE_FORMAT "\"", from->failure,
                            "another format");
    }
    if (!store_attribute_numbers(from, "version", STORE_I64, 1, &found)) {
        return false;
    }
    *version = (int)found;
    return (found >= STORE_VERSION_FIRST && found <= STORE_VERSION) ||
           failure_set(from->failure, EXIT_CODE_DATA,
                       "%s: found format version %lld, expected %d to %d; use a chainring of the "
                       "same age as the file",
                       from->path, (long long)found, STORE_VERSION_FIRST, STORE_VERSION);
}

/* A count; absurd ones are refused before they are multiplied or allocated. */
static bool read_count_attribute(const struct store_attributes *from, const char *name,
                                 int64_t least, int64_t most, size_t *count)
{
    int64_t value = 0;
    if (!store_attribute_numbers(from, name, STORE_I64, 1, &value)) {
        return false;
    }
    if (value < least || value > most) {
        return store_refuse(from->path, "a number that a store can have", from->failure,
                            "%s = %lld", name, (long long)value);
    }
    *count = (size_t)value;
    return true;
}

/* The number of a name in a list. */
static bool find_name(const struct store_attributes *from, const char *attribute, const char *name,
                      const char *const *names, size_t count, size_t *number)
{
    for (*number = 0; *number < count; (*number)++) {
        if (strcmp(name, names[*number]) == 0) {
            return true;
        }
    }
    return store_refuse(from->path, names[0], from->failure, "%s = \"%s\"", attribute, name);
}

static bool read_action_space(struct action_space *space, const struct store_attributes *from,
                              size_t dim)
{
    char kind[STORE_NAME_MAX];
    size_t count, number;
    if (dim > ACTION_DIM_MAX) {
        return store_refuse(from->path, "at most 256", from->failure, "act_dim = %zu", dim);
    }
    if (!store_attribute_strings(from, "action_kind", 1, sizeof kind, kind, &count) ||
        !find_name(from, "action_kind", kind, store_action_kinds, 2, &number)) {
        return false;
    }
    *space = (struct action_space){.kind = (enum action_kind)number, .dim = dim};
    if (space->kind == ACTION_CONTINUOUS) {
        return store_attribute_numbers(from, "action_low", STORE_F64, dim, space->low) &&
               store_attribute_numbers(from, "action_high", STORE_F64, dim, space->high);
    }
    int64_t counts[ACTION_CATEGORICALS_MAX];
    if (!store_attribute_count(from, "action_counts", ACTION_CATEGORICALS_MAX,
                               &space->categorical_count) ||
        !store_attribute_numbers(from, "action_counts", STORE_I64, space->categorical_count,
                                 counts)) {
        return false;
    }
    for (size_t k = 0; k < space->categorical_count; k++) {
        space->categories[k] = counts[k] > 0 ? (size_t)counts[k] : 0;
    }
    return true;
}

static bool read_observation_keys(struct store_spec *spec, const struct store_attributes *from)
{
    char names[STORE_KEYS_MAX][STORE_NAME_MAX], kinds[STORE_KEYS_MAX][STORE_NAME_MAX];
    int64_t dims[STORE_KEYS_MAX];
    size_t kind_count;
    if (!store_attribute_exists(from, "observation_keys")) {
        return true;
    }
    if (!store_attribute_strings(from, "observation_keys", STORE_KEYS_MAX, STORE_NAME_MAX, names[0],
                                 &spec->key_count) ||
        !store_attribute_strings(from, "observation_kinds", STORE_KEYS_MAX, STORE_NAME_MAX,
                                 kinds[0], &kind_count) ||
        !store_attribute_numbers(from, "observation_dims", STORE_I64, spec->key_count, dims)) {
        return false;
    }
    if (kind_count != spec->key_count) {
        return store_refuse(from->path, "one for each key", from->failure,
                            "%zu observation_kinds for %zu keys", kind_count, spec->key_count);
    }
    for (size_t k = 0; k < spec->key_count; k++) {
        size_t number;
        if (!find_name(from, "observation_kinds", kinds[k], store_key_kinds, STORE_KEY_KINDS,
                       &number)) {
            return false;
        }
        bool is_possible = dims[k] > 0 && dims[k] <= STORE_DIM_MAX;
        spec->keys[k] = (struct store_key){.kind = (enum store_key_kind)number,
                                           .dim = is_possible ? (size_t)dims[k] : 0};
        snprintf(spec->keys[k].name, STORE_NAME_MAX, "%s", names[k]);
    }
    return true;
}

/* What came with the third version. */
static bool read_spaces(struct store_spec *spec, const struct store_attributes *from)
{
    size_t label = 0;
    if (!read_count_attribute(from, "label_dim", 0, STORE_DIM_MAX, &label) ||
        !read_action_space(&spec->actions, from, spec->action_dim) ||
        !read_observation_keys(spec, from)) {
        return false;
    }
    spec->has_label = label > 0;
    return label == 0 || label == spec->action_dim ||
           store_refuse(from->path, "0 or act_dim", from->failure, "label_dim = %zu", label);
}

static bool store_read_spec(struct store_spec *spec, const struct store_attributes *from,
                            int version)
{
    size_t one, sources = 0;
    if (!store_attribute_strings(from, "domain", 1, sizeof spec->domain, spec->domain, &one) ||
        !store_attribute_strings(from, "simulator", 1, sizeof spec->simulator, spec->simulator,
                                 &one) ||
        !store_attribute_strings(from, "source", 1, sizeof spec->source, spec->source, &one) ||
        !store_attribute_strings(from, "tasks", STORE_TASKS_MAX, STORE_NAME_MAX, spec->tasks[0],
                                 &spec->task_count) ||
        !store_attribute_strings(from, "reward_source", STORE_TASKS_MAX, STORE_NAME_MAX,
                                 spec->reward_source[0], &sources) ||
        !read_count_attribute(from, "obs_dim", 1, STORE_DIM_MAX, &spec->observation_dim) ||
        !read_count_attribute(from, "act_dim", 1, STORE_DIM_MAX, &spec->action_dim) ||
        !read_count_attribute(from, "physics_dim", 0, STORE_DIM_MAX, &spec->physics_dim) ||
        !read_count_attribute(from, "hidden_dim", 0, STORE_DIM_MAX, &spec->hidden_dim) ||
        !store_attribute_numbers(from, "control_timestep", STORE_F64, 1, &spec->control_timestep)) {
        return false;
    }
    bool has_sources = version == STORE_VERSION_SOURCES ||
                       (version == STORE_VERSION && store_attribute_exists(from, "sources"));
    if ((has_sources && !store_attribute_strings(from, "sources", STORE_SOURCES_MAX, STORE_NAME_MAX,
                                                 spec->sources[0], &spec->source_count)) ||
        (version == STORE_VERSION && !read_spaces(spec, from))) {
        return false;
    }
    if (sources != spec->task_count) {
        return store_refuse(from->path, "one for each task", from->failure,
                            "%zu reward_source for %zu tasks", sources, spec->task_count);
    }
    store_complete_spec(spec);
    return store_check_spec(spec, from->path, from->failure);
}

static bool read_statistics(struct store *store, const struct store_attributes *from)
{
    size_t dim = store->spec.observation_dim;
    size_t tasks = store->spec.task_count;
    struct store_summary *summary = &store->summary;
    summary->observation_mean = memory_take(dim, sizeof(double));
    summary->observation_deviation = memory_take(dim, sizeof(double));
    if (!store_attribute_numbers(from, "observation_mean", STORE_F64, dim,
                                 summary->observation_mean) ||
        !store_attribute_numbers(from, "observation_std", STORE_F64, dim,
                                 summary->observation_deviation) ||
        !store_attribute_numbers(from, "return_minimum", STORE_F64, tasks,
                                 summary->return_minimum) ||
        !store_attribute_numbers(from, "return_mean", STORE_F64, tasks, summary->return_mean) ||
        !store_attribute_numbers(from, "return_maximum", STORE_F64, tasks,
                                 summary->return_maximum) ||
        !store_attribute_numbers(from, "return_percentiles", STORE_F64, tasks * STORE_PERCENTILES,
                                 summary->return_percentiles[0])) {
        return false;
    }
    for (size_t i = 0; i < dim; i++) {
        double mean = summary->observation_mean[i];
        double deviation = summary->observation_deviation[i];
        if (!isfinite(mean) || !isfinite(deviation) || deviation < 0.0) {
            return store_refuse(store->path, "finite ones", from->failure,
                                "observation_mean or observation_std of element %zu = %g, %g", i,
                                mean, deviation);
        }
    }
    return true;
}

/* A change of any attribute shows here, if not before. */
static bool check_description(const struct store *store, const struct store_attributes *from)
{
    uint64_t expected = 0;
    if (store->version < STORE_VERSION) {
        return true;
    }
    if (!store_attribute_numbers(from, "description_hash", STORE_U64, 1, &expected)) {
        return false;
    }
    char text[64];
    snprintf(text, sizeof text, "description_hash %016llx", (unsigned long long)expected);
    uint64_t found = store_description_hash(&store->spec, &store->summary);
    return found == expected ||
           store_refuse(store->path, text, from->failure, "hash %016llx over the attributes",
                        (unsigned long long)found);
}

/* --- Arrays ----------------------------------------------------------------------------------- */

/* Every component of the name must be a hard link: soft and external ones can lead elsewhere. */
static bool store_check_links(hid_t file, const struct store *store, const char *name,
                              struct failure *failure)
{
    char part[sizeof store->arrays[0].name];
    for (size_t i = 0;; i++) {
        if (name[i] == '/' || name[i] == '\0') {
            memcpy(part, name, i);
            part[i] = '\0';
            H5L_info_t info;
            if (H5Lget_info(file, part, &info, H5P_DEFAULT) < 0) {
                return store_refuse(store->path, "a whole trajectory store", failure, "no %s in it",
                                    part);
            }
            if (info.type != H5L_TYPE_HARD) {
                return store_refuse(store->path, "the data themselves in the file", failure,
                                    "a soft or external link at %s", part);
            }
        }
        if (name[i] == '\0') {
            return true;
        }
    }
}

/* To be called before any other query of the data set: other layouts open other files or run
 * filters. */
static bool store_check_layout(hid_t set, const struct store *store, const char *name,
                               struct failure *failure)
{
    hid_t creation = H5Dget_create_plist(set);
    bool is_contiguous = creation >= 0 && H5Pget_layout(creation) == H5D_CONTIGUOUS;
    bool is_plain =
        is_contiguous && H5Pget_external_count(creation) == 0 && H5Pget_nfilters(creation) == 0;
    if (creation >= 0) {
        H5Pclose(creation); /* one left open on a virtual data set crashes the library at exit */
    }
    return is_plain || store_refuse(store->path, "a contiguous one within the file", failure,
                                    "a chunked, filtered, virtual or external data set %s", name);
}

static bool store_check_type(hid_t set, const struct store *store, const struct store_array *array,
                             struct failure *failure)
{
    static const char *const names[] = {
        [STORE_F32] = "little-endian float32",
        [STORE_F64] = "little-endian float64",
        [STORE_I64] = "little-endian int64",
        [STORE_U64] = "little-endian uint64",
        [STORE_U8] = "uint8",
    };
    hid_t type = H5Dget_type(set);
    bool is_right = type >= 0 && H5Tequal(type, store_number_type(array->number)) > 0;
    if (type >= 0) {
        H5Tclose(type);
    }
    return is_right || store_refuse(store->path, names[array->number], failure,
                                    "another type of number in %s", array->name);
}

static bool store_check_extent(hid_t set, const struct store *store,
                               const struct store_array *array, struct failure *failure)
{
    hsize_t extent[2] = {0, 1};
    hid_t space = H5Dget_space(set);
    int rank = space < 0 ? -1 : H5Sget_simple_extent_ndims(space);
    bool is_right = rank == array->rank && H5Sget_simple_extent_dims(space, extent, NULL) == rank &&
                    extent[0] == array->rows && extent[1] == array->columns;
    if (space >= 0) {
        H5Sclose(space);
    }
    if (is_right) {
        return true;
    }
    char expected[96];
    snprintf(expected, sizeof expected,
             array->rank == 1 ? "(%zu), as the attributes say"
                              : "(%zu, %zu), as the attributes say",
             array->rows, array->columns);
    return store_refuse(store->path, expected, failure, "rank %d and extent (%llu, %llu) of %s",
                        rank, (unsigned long long)extent[0], (unsigned long long)extent[1],
                        array->name);
}

static bool store_find_offset(hid_t set, const struct store *store, struct store_array *array,
                              struct failure *failure)
{
    uint64_t bytes = (uint64_t)array->rows * store_row_bytes(array);
    haddr_t offset = H5Dget_offset(set);
    if (offset == HADDR_UNDEF || H5Dget_storage_size(set) != bytes) {
        return store_refuse(store->path, "all of its numbers in the file", failure,
                            "no or not enough storage for %s", array->name);
    }
    if (offset > store->file_bytes || bytes > store->file_bytes - offset) {
        return store_refuse(store->path, "all of its numbers in the file", failure,
                            "%s beyond the end of the file", array->name);
    }
    array->offset = offset;
    return true;
}

static bool store_check_array(hid_t file, const struct store *store, struct store_array *array,
                              struct failure *failure)
{
    if (!store_check_links(file, store, array->name, failure)) {
        return false;
    }
    hid_t set = H5Oopen(file, array->name, H5P_DEFAULT);
    bool ok = set >= 0 && H5Iget_type(set) == H5I_DATASET;
    if (!ok) {
        store_refuse(store->path, "a data set", failure, "something else or damage at %s",
                     array->name);
    }
    ok = ok && store_check_layout(set, store, array->name, failure) &&
         store_check_type(set, store, array, failure) &&
         store_check_extent(set, store, array, failure) &&
         store_find_offset(set, store, array, failure);
    if (set >= 0) {
        H5Oclose(set);
    }
    return ok;
}

static bool read_sizes(struct store *store, const struct store_attributes *from)
{
    struct store_summary *summary = &store->summary;
    size_t block_rows = STORE_BLOCK_ROWS;
    if (!read_count_attribute(from, "episodes", 1, STORE_EPISODES_MAX, &summary->episodes) ||
        !read_count_attribute(from, "steps", 1, STORE_STEPS_MAX, &summary->steps) ||
        (store->version == STORE_VERSION &&
         (!read_count_attribute(from, "blocks", 1, STORE_STEPS_MAX, &summary->blocks) ||
          !read_count_attribute(from, "block_rows", 1, STORE_STEPS_MAX, &block_rows)))) {
        return false;
    }
    return block_rows == STORE_BLOCK_ROWS ||
           store_refuse(store->path, "256", from->failure, "block_rows = %zu", block_rows);
}

/* Attributes first: they say what arrays there must be. */
static bool read_structure(hid_t file, struct store *store, struct failure *failure)
{
    const struct store_attributes from = {.file = file, .path = store->path, .failure = failure};
    struct store_summary *summary = &store->summary;
    if (!read_version(&store->version, &from) ||
        !store_read_spec(&store->spec, &from, store->version) || !read_statistics(store, &from) ||
        !read_sizes(store, &from) ||
        !store_attribute_numbers(&from, "index_hash", STORE_U64, 1, &summary->index_hash)) {
        return false;
    }
    store_layout(store->arrays, &store->spec,
                 (struct store_capacity){.episodes = summary->episodes,
                                         .steps = summary->steps,
                                         .blocks = summary->blocks});
    for (size_t i = 0; i < STORE_ARRAYS; i++) {
        if (store->arrays[i].name[0] != '\0' &&
            !store_check_array(file, store, &store->arrays[i], failure)) {
            return false;
        }
    }
    return check_description(store, &from);
}

/* --- Index ------------------------------------------------------------------------------------ */

static bool read_index(struct store *store, struct failure *failure)
{
    struct store_index *index = &store->index;
    store_index_open(index, &store->spec,
                     (struct store_capacity){.episodes = store->summary.episodes,
                                             .steps = store->summary.steps,
                                             .blocks = store->summary.blocks});
    index->count = store->summary.episodes;
    index->block_count = store->summary.blocks;
    for (size_t i = STORE_START; i < STORE_ARRAYS; i++) {
        const struct store_array *array = &store->arrays[i];
        void *column = store_index_column(index, i);
        if (column && !store_read_bytes(store, column, array->rows * store_row_bytes(array),
                                        array->offset, failure)) {
            return false;
        }
    }
    uint64_t expected = store->summary.index_hash;
    uint64_t found = store_index_hash(index, store->arrays);
    char text[64];
    snprintf(text, sizeof text, "index_hash %016llx", (unsigned long long)expected);
    return found == expected ||
           store_refuse(store->path, text, failure, "hash %016llx over the index (episode/...)",
                        (unsigned long long)found);
}

static bool store_check_episode(const struct store *store, size_t episode, struct failure *failure)
{
    const struct store_index *index = &store->index;
    if (index->ending[episode] > STORE_END_TRUNCATED) {
        return store_refuse(store->path, "0, 1 or 2", failure, "end = %d of episode %zu",
                            index->ending[episode], episode);
    }
    if (index->has_sources && index->source[episode] >= store->spec.source_count) {
        return store_refuse(store->path, "one that has a name in sources", failure,
                            "source = %d of episode %zu", index->source[episode], episode);
    }
    for (size_t k = 0; k < index->task_count; k++) {
        if (!isfinite(index->returns[k][episode])) {
            return store_refuse(store->path, "a finite one", failure,
                                "return %g of episode %zu in task %s", index->returns[k][episode],
                                episode, store->spec.tasks[k]);
        }
    }
    return true;
}

/* Episodes lie one after the other and fill the arrays exactly, as do their blocks. */
static bool check_index(struct store *store, struct failure *failure)
{
    struct store_index *index = &store->index;
    int64_t steps = (int64_t)store->summary.steps;
    int64_t start = 0;
    size_t blocks = 0;
    for (size_t e = 0; e < index->count; e++) {
        int64_t length = index->length[e];
        if (index->start[e] != start || length < 1 || length > steps - start) {
            return store_refuse(store->path, "episodes one after the other within the steps",
                                failure, "start %lld and length %lld of episode %zu",
                                (long long)index->start[e], (long long)length, e);
        }
        if (!store_check_episode(store, e, failure)) {
            return false;
        }
        store->length_max = size_max(store->length_max, (size_t)length);
        start += length;
        index->first_block[e] = blocks;
        blocks += store_block_count((size_t)length);
    }
    if (start != steps) {
        return store_refuse(store->path, "all steps in episodes", failure,
                            "%lld of %lld steps in episodes", (long long)start, (long long)steps);
    }
    return store->version < STORE_VERSION || blocks == index->block_count ||
           store_refuse(store->path, "as many as the episodes have", failure, "blocks = %zu",
                        index->block_count);
}

struct store *store_open(const char *path, struct failure *failure)
{
    struct store *store = memory_take(1, sizeof *store);
    store->path = memory_copy_text(path);
    store->file = -1;
    bool ok = open_regular_file(store, failure) && check_superblock(store, failure);
    hid_t file = ok ? store_open_hdf5(store, failure) : -1;
    ok = file >= 0 && read_structure(file, store, failure);
    if (file >= 0) {
        H5Fclose(file);
    }
    ok = ok && read_index(store, failure) && check_index(store, failure);
    if (!ok) {
        store_close(store);
        return NULL;
    }
    return store;
}
