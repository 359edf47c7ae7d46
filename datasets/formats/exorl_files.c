#include "datasets/formats/exorl_files.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/arithmetic.h"
#include "base/file.h"
#include "base/memory.h"

enum { FILE_BYTES_MAX = 1 << 30, FILES_MAX = 1 << 26 };

/* --- Names ------------------------------------------------------------------------------------ */

/* The number between the last "_" before `end` and `end`, which moves to that "_". */
static bool parse_last_number(uint64_t *number, const char *name, size_t begin, size_t *end)
{
    enum { DIGITS_MAX = 12 };
    size_t at = *end;
    while (at > begin && name[at - 1] >= '0' && name[at - 1] <= '9') {
        at--;
    }
    if (at == *end || *end - at > DIGITS_MAX || at == begin || name[at - 1] != '_') {
        return false;
    }
    *number = strtoull(name + at, NULL, 10);
    *end = at - 1;
    return true;
}

/* Parse NAME_NUMBER_STEPS.npz, perhaps preceded by folders. */
static bool parse_file_name(struct exorl_file *file, const char *name)
{
    const char *slash = strrchr(name, '/');
    const char *dot = strrchr(name, '.');
    file->folder = slash ? (size_t)(slash + 1 - name) : 0;
    file->prefix = dot ? (size_t)(dot - name) : 0;
    return dot && strcmp(dot, ".npz") == 0 &&
           parse_last_number(&file->length, name, file->folder, &file->prefix) &&
           parse_last_number(&file->number, name, file->folder, &file->prefix);
}

static int compare_files(const void *left, const void *right)
{
    const struct exorl_file *a = left, *b = right;
    int order = strncmp(a->name, b->name, size_min(a->prefix, b->prefix));
    if (order == 0) {
        order = (a->prefix > b->prefix) - (a->prefix < b->prefix);
    }
    return order != 0 ? order : (a->number > b->number) - (a->number < b->number);
}

/* --- Listing ---------------------------------------------------------------------------------- */

/* Add a file if its name is an episode's. */
static void exorl_files_add(struct exorl_files *files, const char *name, size_t member)
{
    struct exorl_file file = {.member = member};
    if (!parse_file_name(&file, name) || files->count == FILES_MAX) {
        return;
    }
    if (files->count == files->capacity) {
        size_t capacity = 2 * files->capacity + 1024;
        files->files = memory_grow(files->files, files->count, capacity, sizeof *files->files);
        files->capacity = capacity;
    }
    file.name = memory_copy_text(name);
    files->files[files->count++] = file;
}

static bool exorl_list_folder(struct exorl_files *files, const char *folder,
                              struct failure *failure)
{
    DIR *stream = opendir(folder);
    if (!stream) {
        return failure_set(failure, EXIT_CODE_NO_INPUT, "%s: cannot be opened (%s); check the path",
                           folder, strerror(errno));
    }
    memory_free(files->root);
    files->root = memory_copy_text(folder);
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        exorl_files_add(files, entry->d_name, 0);
        errno = 0;
    }
    int error = errno;
    closedir(stream);
    return error == 0 || failure_set(failure, EXIT_CODE_IO, "%s: cannot be listed (%s); check it",
                                     folder, strerror(error));
}

/* The episodes of a folder, else those of its subfolder `buffer`. */
static bool exorl_list_folders(struct exorl_files *files, const char *path, struct failure *failure)
{
    char buffer[FILE_PATH_MAX];
    struct stat status;
    return exorl_list_folder(files, path, failure) &&
           (files->count > 0 || !file_join(buffer, path, "buffer", failure) ||
            stat(buffer, &status) != 0 || exorl_list_folder(files, buffer, failure));
}

static bool exorl_list_zip(struct exorl_files *files, const char *path, struct failure *failure)
{
    files->zip = npz_open(path, failure);
    if (!files->zip) {
        return false;
    }
    files->root = memory_copy_text(path);
    for (size_t i = 0; i < npz_count(files->zip); i++) {
        exorl_files_add(files, npz_name(files->zip, i), i);
    }
    return true;
}

/* The sorted files must be in one folder, each number once. */
static bool exorl_check_list(const struct exorl_files *files, const char *path,
                             struct failure *failure)
{
    if (files->count == 0) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found no episodes, expected files called episode_NUMBER_STEPS.npz "
                           "in a folder or in a zip file; check the path",
                           path);
    }
    for (size_t i = 1; i < files->count; i++) {
        const struct exorl_file *before = &files->files[i - 1];
        const struct exorl_file *file = &files->files[i];
        if (file->folder != before->folder ||
            strncmp(file->name, before->name, file->folder) != 0) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: found episodes in two folders (%.150s and %.150s), expected "
                               "them in one; convert each on its own",
                               path, before->name, file->name);
        }
        if (compare_files(before, file) == 0) {
            return failure_set(failure, EXIT_CODE_DATA,
                               "%s: found episode %llu twice (%.150s and %.150s), expected each "
                               "number once; remove one",
                               path, (unsigned long long)file->number, before->name, file->name);
        }
    }
    return true;
}

static bool is_folder(const char *path)
{
    struct stat status;
    return stat(path, &status) == 0 && S_ISDIR(status.st_mode);
}

bool exorl_files_open(struct exorl_files *files, const char *path, struct failure *failure)
{
    *files = (struct exorl_files){0};
    bool is_listed = is_folder(path) ? exorl_list_folders(files, path, failure)
                                     : exorl_list_zip(files, path, failure);
    if (is_listed && files->count > 0) {
        qsort(files->files, files->count, sizeof *files->files, compare_files);
    }
    return is_listed && exorl_check_list(files, path, failure);
}

void exorl_files_close(struct exorl_files *files)
{
    for (size_t i = 0; i < files->count; i++) {
        memory_free(files->files[i].name);
    }
    memory_free(files->files);
    memory_free(files->root);
    memory_free(files->bytes);
    if (files->zip) {
        npz_close(files->zip);
    }
    *files = (struct exorl_files){0};
}

bool exorl_files_recognise(const char *path)
{
    struct failure failure = {0};
    if (is_folder(path)) {
        struct exorl_files files = {0};
        bool is_one = exorl_list_folders(&files, path, &failure) && files.count > 0;
        exorl_files_close(&files);
        return is_one;
    }
    char start[2];
    struct file_reader reader;
    bool is_zip = file_reader_open(&reader, path, &failure) && reader.size >= sizeof start &&
                  file_reader_read(&reader, start, sizeof start, 0, &failure) &&
                  memcmp(start, "PK", sizeof start) == 0;
    file_reader_close(&reader);
    return is_zip;
}

/* --- Reading ---------------------------------------------------------------------------------- */

/* The bytes of an npz that is a file of its own. */
static bool read_file(struct exorl_files *files, const char *name, size_t *size,
                      struct failure *failure)
{
    char path[FILE_PATH_MAX];
    struct file_reader reader;
    if (!file_join(path, files->root, name, failure) || !file_reader_open(&reader, path, failure)) {
        return false;
    }
    *size = (size_t)reader.size;
    bool is_read = reader.size <= FILE_BYTES_MAX ||
                   failure_set(failure, EXIT_CODE_DATA,
                               "%s: found %llu bytes, expected at most %d of an episode; get the "
                               "file again",
                               path, (unsigned long long)reader.size, FILE_BYTES_MAX);
    if (is_read) {
        files->bytes = memory_reserve(files->bytes, &files->bytes_capacity, *size);
        is_read = file_reader_read(&reader, files->bytes, *size, 0, failure);
    }
    file_reader_close(&reader);
    return is_read;
}

/* The bytes of an npz that is a member of a zip file. */
static bool read_member(struct exorl_files *files, size_t member, size_t *size,
                        struct failure *failure)
{
    if (!npz_size(size, files->zip, member, failure)) {
        return false;
    }
    files->bytes = memory_reserve(files->bytes, &files->bytes_capacity, *size);
    return npz_read(files->bytes, *size, files->zip, member, failure);
}

struct npz *exorl_files_open_npz(struct exorl_files *files, size_t index, const char *where,
                                 struct failure *failure)
{
    const struct exorl_file *file = &files->files[index];
    size_t size;
    bool is_read = files->zip ? read_member(files, file->member, &size, failure)
                              : read_file(files, file->name, &size, failure);
    return is_read ? npz_open_bytes(files->bytes, size, where, failure) : NULL;
}

void exorl_files_name(char *name, size_t size, const struct exorl_files *files, size_t index)
{
    snprintf(name, size, "%s%s%s", files->root, files->zip ? ": " : "/", files->files[index].name);
}
