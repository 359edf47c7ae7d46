/* Forms that others use and that are not read: by what they are known, and which Python makes
 * arrays of them. Most are tables without agreed columns, so only their user knows what is an
 * observation; pickles run code. */
#include "datasets/formats/formats.h"

#include <dirent.h>
#include <fnmatch.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/file.h"

static const char from_lerobot[] =
    "t = pyarrow.dataset.dataset(\"FOLDER/data\").to_table(); "
    "numpy.save(\"observation.npy\", numpy.stack(t[\"observation.state\"].to_numpy())); "
    "numpy.save(\"length.npy\", numpy.bincount(t[\"episode_index\"]))";
static const char from_tfds[] =
    "e = [list(x[\"steps\"].as_numpy_iterator()) for x in "
    "tensorflow_datasets.builder_from_directory(\"FOLDER\").as_dataset(\"train\")]; "
    "numpy.save(\"observation.npy\", [s[\"observation\"] for x in e for s in x])";
static const char from_huggingface[] =
    "d = datasets.load_from_disk(\"FOLDER\").with_format(\"numpy\"); "
    "numpy.save(\"observation.npy\", d[\"observations\"])";
static const char from_huggingface_splits[] =
    "d = datasets.load_from_disk(\"FOLDER\")[\"train\"].with_format(\"numpy\"); "
    "numpy.save(\"observation.npy\", d[\"observations\"])";
static const char from_parquet[] =
    "t = pyarrow.dataset.dataset(\"PATH\").to_table(); "
    "numpy.save(\"observation.npy\", numpy.stack(t[\"observations\"].to_numpy()))";
static const char from_arrow[] =
    "t = pyarrow.dataset.dataset(\"PATH\", format=\"feather\").to_table(); "
    "numpy.save(\"observation.npy\", numpy.stack(t[\"observations\"].to_numpy()))";
static const char from_arrow_stream[] =
    "t = pyarrow.ipc.open_stream(\"FILE\").read_all(); "
    "numpy.save(\"observation.npy\", numpy.stack(t[\"observations\"].to_numpy()))";
static const char from_zarr[] =
    "z = zarr.open(\"FOLDER\", mode=\"r\"); numpy.save(\"observation.npy\", z[\"data/state\"]); "
    "numpy.save(\"length.npy\", numpy.diff(z[\"meta/episode_ends\"], prepend=0))";
static const char from_pickle[] =
    "e = pickle.load(open(\"FILE\", \"rb\")); "
    "numpy.save(\"observation.npy\", numpy.concatenate([x[\"observations\"] for x in e])); "
    "numpy.save(\"length.npy\", [len(x[\"rewards\"]) for x in e])";

/* What the sign is: the first bytes of a file, a pattern of its name, or of a name in a folder. */
enum sign_kind { SIGN_BYTES, SIGN_NAME, SIGN_ENTRY };

/* Those that tell more come first. */
static const struct unreadable_form {
    enum sign_kind kind;
    const char *sign, *what, *python;
} unreadable_forms[] = {
    {SIGN_ENTRY, "meta/info.json", "a LeRobot data set", from_lerobot},
    {SIGN_ENTRY, "features.json", "an RLDS data set of TFDS", from_tfds},
    {SIGN_ENTRY, "*.tfrecord*", "TensorFlow records", from_tfds},
    {SIGN_NAME, "*.tfrecord*", "TensorFlow records", from_tfds},
    {SIGN_ENTRY, "dataset_dict.json", "splits of a HuggingFace data set", from_huggingface_splits},
    {SIGN_ENTRY, "dataset_info.json", "a HuggingFace data set", from_huggingface},
    {SIGN_BYTES, "PAR1", "a Parquet file", from_parquet},
    {SIGN_ENTRY, "*.parquet", "Parquet files", from_parquet},
    {SIGN_BYTES, "ARROW1", "an Arrow or Feather file", from_arrow},
    {SIGN_NAME, "*.arrow", "a stream of Arrow", from_arrow_stream},
    {SIGN_ENTRY, "*.arrow", "Arrow files", from_arrow},
    {SIGN_ENTRY, "*.feather", "Feather files", from_arrow},
    {SIGN_ENTRY, ".zgroup", "a zarr data set", from_zarr},
    {SIGN_ENTRY, "zarr.json", "a zarr data set", from_zarr},
    {SIGN_NAME, "*.pkl", "a pickle, which can run any code", from_pickle},
    {SIGN_NAME, "*.pickle", "a pickle, which can run any code", from_pickle},
};

static bool file_begins_with(const char *path, const char *sign)
{
    char bytes[16];
    size_t size = strlen(sign);
    struct file_reader reader;
    struct failure ignored = {0};
    if (!file_reader_open(&reader, path, &ignored)) {
        return false;
    }
    bool begins = reader.size >= size && file_reader_read(&reader, bytes, size, 0, &ignored) &&
                  memcmp(bytes, sign, size) == 0;
    file_reader_close(&reader);
    return begins;
}

/* `pattern` may have one folder before the name. */
static bool folder_has_entry(const char *path, const char *pattern)
{
    char folder[FILE_PATH_MAX];
    const char *slash = strchr(pattern, '/');
    int before = slash ? (int)(slash - pattern) : 0;
    int length = snprintf(folder, sizeof folder, "%s/%.*s", path, before, pattern);
    DIR *entries = length < (int)sizeof folder ? opendir(folder) : NULL;
    bool has = false;
    for (struct dirent *entry; entries && !has && (entry = readdir(entries));) {
        has = fnmatch(slash ? slash + 1 : pattern, entry->d_name, 0) == 0;
    }
    if (entries) {
        closedir(entries);
    }
    return has;
}

static bool form_has_sign(const struct unreadable_form *form, const char *path)
{
    struct stat status;
    switch (form->kind) {
    case SIGN_BYTES:
        return file_begins_with(path, form->sign);
    case SIGN_NAME:
        return fnmatch(form->sign, path, 0) == 0 && stat(path, &status) == 0 &&
               S_ISREG(status.st_mode);
    case SIGN_ENTRY:
        return folder_has_entry(path, form->sign);
    }
    return false;
}

bool format_is_unreadable(const char *path, struct failure *failure)
{
    for (size_t i = 0; i < sizeof unreadable_forms / sizeof *unreadable_forms; i++) {
        const struct unreadable_form *form = &unreadable_forms[i];
        if (form_has_sign(form, path)) {
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found %s, which is not read, expected a form that is; save arrays in "
                        "Python: %s; likewise action.npy, reward.npy and length.npy (steps of each "
                        "episode), and convert their folder (datasets/README.md, Arrays)",
                        path, form->what, form->python);
            return true;
        }
    }
    return false;
}
