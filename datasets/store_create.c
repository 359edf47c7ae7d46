#define _GNU_SOURCE /* memfd_create */
#include "datasets/store_create.h"

#include <errno.h>
#include <hdf5.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "datasets/store_attributes.h"

enum { ARRAY_ALIGNMENT = 4096 }; /* bytes: arrays begin on a page */

/* Write an attribute of the root; rank 0 is a single value. */
static bool write_attribute(hid_t file, const char *name, hid_t type, int rank,
                            const hsize_t *extent, const void *values)
{
    hid_t space = rank == 0 ? H5Screate(H5S_SCALAR) : H5Screate_simple(rank, extent, NULL);
    hid_t attribute = H5Acreate2(file, name, type, space, H5P_DEFAULT, H5P_DEFAULT);
    bool ok = attribute >= 0 && H5Awrite(attribute, type, values) >= 0;
    ok = (attribute < 0 || H5Aclose(attribute) >= 0) && ok;
    if (space >= 0) {
        H5Sclose(space);
    }
    return ok;
}

static bool write_strings(hid_t file, const char *name, size_t size, int rank, size_t count,
                          const char *strings)
{
    hid_t type = H5Tcopy(H5T_C_S1);
    hsize_t extent = count;
    bool ok = type >= 0 && H5Tset_size(type, size) >= 0 && H5Tset_cset(type, H5T_CSET_UTF8) >= 0 &&
              H5Tset_strpad(type, H5T_STR_NULLPAD) >= 0 &&
              write_attribute(file, name, type, rank, &extent, strings);
    if (type >= 0) {
        H5Tclose(type);
    }
    return ok;
}

static bool write_string(hid_t file, const char *name, const char *text)
{
    size_t size = strlen(text) + 1;
    return write_strings(file, name, size, 0, 1, text);
}

/* What follows the end of a string is zeros, so that equal strings have equal bytes. */
static bool write_string_array(hid_t file, const char *name, const char *strings, size_t count)
{
    char padded[STORE_SOURCES_MAX][STORE_NAME_MAX] = {{0}}; /* as many as keys */
    for (size_t k = 0; k < count; k++) {
        memcpy(padded[k], strings + k * STORE_NAME_MAX, strlen(strings + k * STORE_NAME_MAX));
    }
    return write_strings(file, name, STORE_NAME_MAX, 1, count, padded[0]);
}

static bool write_count(hid_t file, const char *name, size_t count)
{
    int64_t value = (int64_t)count;
    return write_attribute(file, name, H5T_STD_I64LE, 0, NULL, &value);
}

static bool write_f64(hid_t file, const char *name, size_t count, const double *values)
{
    hsize_t extent = count;
    return write_attribute(file, name, H5T_IEEE_F64LE, 1, &extent, values);
}

static bool write_numbers(hid_t file, const char *name, hid_t type, size_t count,
                          const void *values)
{
    hsize_t extent = count;
    return write_attribute(file, name, type, 1, &extent, values);
}

static bool write_action_space(hid_t file, const struct action_space *space)
{
    int64_t counts[ACTION_CATEGORICALS_MAX];
    for (size_t k = 0; k < space->categorical_count; k++) {
        counts[k] = (int64_t)space->categories[k];
    }
    return write_string(file, "action_kind", store_action_kinds[space->kind]) &&
           (space->kind == ACTION_CATEGORICAL
                ? write_numbers(file, "action_counts", H5T_STD_I64LE, space->categorical_count,
                                counts)
                : write_f64(file, "action_low", space->dim, space->low) &&
                      write_f64(file, "action_high", space->dim, space->high));
}

static bool write_keys(hid_t file, const struct store_spec *spec)
{
    char names[STORE_KEYS_MAX][STORE_NAME_MAX], kinds[STORE_KEYS_MAX][STORE_NAME_MAX];
    int64_t dims[STORE_KEYS_MAX];
    for (size_t k = 0; k < spec->key_count; k++) {
        snprintf(names[k], STORE_NAME_MAX, "%s", spec->keys[k].name);
        snprintf(kinds[k], STORE_NAME_MAX, "%s", store_key_kinds[spec->keys[k].kind]);
        dims[k] = (int64_t)spec->keys[k].dim;
    }
    return spec->key_count == 0 ||
           (write_string_array(file, "observation_keys", names[0], spec->key_count) &&
            write_string_array(file, "observation_kinds", kinds[0], spec->key_count) &&
            write_numbers(file, "observation_dims", H5T_STD_I64LE, spec->key_count, dims));
}

static bool write_spec(hid_t file, const struct store_spec *spec)
{
    return write_string(file, "format", STORE_FORMAT) &&
           write_count(file, "version", STORE_VERSION) &&
           (spec->source_count == 0 ||
            write_string_array(file, "sources", spec->sources[0], spec->source_count)) &&
           write_string(file, "domain", spec->domain) &&
           write_string(file, "simulator", spec->simulator) &&
           write_string(file, "source", spec->source) &&
           write_string_array(file, "tasks", spec->tasks[0], spec->task_count) &&
           write_string_array(file, "reward_source", spec->reward_source[0], spec->task_count) &&
           write_count(file, "obs_dim", spec->observation_dim) &&
           write_count(file, "act_dim", spec->action_dim) &&
           write_count(file, "label_dim", spec->has_label ? spec->action_dim : 0) &&
           write_count(file, "physics_dim", spec->physics_dim) &&
           write_count(file, "hidden_dim", spec->hidden_dim) &&
           write_attribute(file, "control_timestep", H5T_IEEE_F64LE, 0, NULL,
                           &spec->control_timestep) &&
           write_action_space(file, &spec->actions) && write_keys(file, spec);
}

static bool write_hash(hid_t file, const char *name, uint64_t hash)
{
    return write_attribute(file, name, H5T_STD_U64LE, 0, NULL, &hash);
}

static bool write_summary(hid_t file, const struct store_spec *spec,
                          const struct store_summary *summary)
{
    size_t tasks = spec->task_count;
    hsize_t table[2] = {tasks, STORE_PERCENTILES};
    return write_count(file, "episodes", summary->episodes) &&
           write_count(file, "steps", summary->steps) &&
           write_count(file, "blocks", summary->blocks) &&
           write_count(file, "block_rows", STORE_BLOCK_ROWS) &&
           write_hash(file, "index_hash", summary->index_hash) &&
           write_f64(file, "observation_mean", spec->observation_dim, summary->observation_mean) &&
           write_f64(file, "observation_std", spec->observation_dim,
                     summary->observation_deviation) &&
           write_f64(file, "return_minimum", tasks, summary->return_minimum) &&
           write_f64(file, "return_maximum", tasks, summary->return_maximum) &&
           write_f64(file, "return_mean", tasks, summary->return_mean) &&
           write_f64(file, "percentiles", STORE_PERCENTILES, store_percentiles) &&
           write_attribute(file, "return_percentiles", H5T_IEEE_F64LE, 2, table,
                           summary->return_percentiles[0]) &&
           write_hash(file, "description_hash", store_description_hash(spec, summary));
}

/* Groups without time stamps, so that equal data give equal files. */
static bool create_group(hid_t file, const char *name)
{
    hid_t creation = H5Pcreate(H5P_GROUP_CREATE);
    hid_t group = -1;
    if (creation >= 0 && H5Pset_obj_track_times(creation, 0) >= 0) {
        group = H5Gcreate2(file, name, H5P_DEFAULT, creation, H5P_DEFAULT);
    }
    if (creation >= 0) {
        H5Pclose(creation);
    }
    return group >= 0 && H5Gclose(group) >= 0;
}

static bool create_groups(hid_t file)
{
    static const char *const names[] = {"reward", "episode",    "episode/return",
                                        "block",  "block/hash", "block/hash/reward"};
    bool ok = true;
    for (size_t i = 0; ok && i < sizeof names / sizeof *names; i++) {
        ok = create_group(file, names[i]);
    }
    return ok;
}

static bool create_array(hid_t file, struct store_array *array)
{
    hsize_t extent[2] = {array->rows, array->columns};
    hid_t creation = H5Pcreate(H5P_DATASET_CREATE);
    hid_t space = H5Screate_simple(array->rank, extent, NULL);
    hid_t dataset = -1;
    if (creation >= 0 && space >= 0 && H5Pset_layout(creation, H5D_CONTIGUOUS) >= 0 &&
        H5Pset_alloc_time(creation, H5D_ALLOC_TIME_EARLY) >= 0 &&
        H5Pset_fill_time(creation, H5D_FILL_TIME_NEVER) >= 0 &&
        H5Pset_obj_track_times(creation, 0) >= 0) {
        dataset = H5Dcreate2(file, array->name, store_number_type(array->number), space,
                             H5P_DEFAULT, creation, H5P_DEFAULT);
    }
    array->offset = dataset < 0 ? HADDR_UNDEF : H5Dget_offset(dataset);
    bool ok = dataset >= 0 && array->offset != HADDR_UNDEF;
    ok = (dataset < 0 || H5Dclose(dataset) >= 0) && ok;
    H5Sclose(space);
    H5Pclose(creation);
    return ok;
}

static hid_t create_hdf5(const char *name)
{
    H5Eset_auto2(H5E_DEFAULT, NULL, NULL);
    hid_t access = H5Pcreate(H5P_FILE_ACCESS);
    hid_t creation = H5Pcreate(H5P_FILE_CREATE);
    hid_t file = -1;
    /* The stdio driver, because the default one resolves the link /proc/self/fd/N to a path, which
     * a file in memory does not have. The 1.10 format, because its metadata have checksums. */
    if (access >= 0 && creation >= 0 && H5Pset_fapl_stdio(access) >= 0 &&
        H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110) >= 0 &&
        H5Pset_alignment(access, ARRAY_ALIGNMENT, ARRAY_ALIGNMENT) >= 0 &&
        H5Pset_file_locking(access, 0, 1) >= 0 &&
        H5Pset_fclose_degree(access, H5F_CLOSE_STRONG) >= 0 &&
        H5Pset_obj_track_times(creation, 0) >= 0) {
        file = H5Fcreate(name, H5F_ACC_TRUNC, creation, access);
    }
    H5Pclose(creation);
    H5Pclose(access);
    return file;
}

static bool create_file(const char *name, const struct store_spec *spec,
                        const struct store_summary *summary,
                        struct store_array arrays[STORE_ARRAYS])
{
    hid_t file = create_hdf5(name);
    bool ok = file >= 0 && write_spec(file, spec) && write_summary(file, spec, summary) &&
              create_groups(file);
    for (size_t i = 0; ok && i < STORE_ARRAYS; i++) {
        ok = arrays[i].name[0] == '\0' || create_array(file, &arrays[i]);
    }
    return (file < 0 || H5Fclose(file) >= 0) && ok;
}

int store_create_skeleton(const char *path, const struct store_spec *spec,
                          const struct store_summary *summary,
                          struct store_array arrays[STORE_ARRAYS], struct failure *failure)
{
    int memory = memfd_create("chainring-store", MFD_CLOEXEC);
    char name[64];
    snprintf(name, sizeof name, "/proc/self/fd/%d", memory);
    if (memory >= 0 && create_file(name, spec, summary, arrays)) {
        return memory;
    }
    failure_set(failure, EXIT_CODE_SYSTEM,
                "%s: the HDF5 library cannot make the file in memory (%s), expected a Linux with "
                "/proc and some free memory; nothing was left there",
                path, memory < 0 ? strerror(errno) : "HDF5 does not say why");
    if (memory >= 0) {
        close(memory);
    }
    return -1;
}
