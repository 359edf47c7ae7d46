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

static const char ending[] = ".npz";

enum { FILE_BYTES_MAX = 1 << 30, FILES_MAX = 1 << 26 };

/* --- Names ------------------------------------------------------------------------------------ */

static const char *base_name(const char *name)
{
    const char *slash = strrchr(name, '/');
    return slash ? slash + 1 : name;
}

/* The number between the last "_" before `end` and `end`, which moves to that "_". */
static bool parse_last_number(uint64_t *number, const char *begin, const char **end)
{
    enum { DIGITS_MAX = 12 };
    const char *at = *end;
    while (at > begin && at[-1] >= '0' && at[-1] <= '9') {
        at--;
    }
    if (at == *end || *end - at > DIGITS_MAX || at == begin || at[-1] != '_') {
        return false;
    }
    *number = strtoull(at, NULL, 10);
    *end = at - 1;
    return true;
}

/* Parse NAME_NUMBER_STEPS.npz, perhaps preceded by folders. */
static bool parse_file_name(struct exorl_file *file, const char *name)
{
    const char *begin = base_name(name);
    size_t length = strlen(begin);
    if (length < sizeof ending || strcmp(begin + length - strlen(ending), ending) != 0) {
        return false;
    }
    const char *end = begin + length - strlen(ending);
    return parse_last_number(&file->length, begin, &end) &&
           parse_last_number(&file->number, begin, &end);
}

/* The length of the name before its number. */
static size_t file_prefix_length(const struct exorl_file *file)
{
    const char *begin = base_name(file->name);
    const char *end = begin + strlen(begin) - strlen(ending);
    uint64_t ignored;
    invariant(parse_last_number(&ignored, begin, &end) && parse_last_number(&ignored, begin, &end));
    return (size_t)(end - file->name);
}

static int compare_files(const void *left, const void *right)
{
    const struct exorl_file *a = left;
    const struct exorl_file *b = right;
    size_t length_a = file_prefix_length(a);
    size_t length_b = file_prefix_length(b);
    int order = strncmp(a->name, b->name, size_min(length_a, length_b));
    if (order != 0) {
        return order;
    }
    if (length_a != length_b) {
        return length_a < length_b ? -1 : 1;
    }
    return (a->number > b->number) - (a->number < b->number);
}

/* --- Listing ---------------------------------------------------------------------------------- */

/* Add a file if its name is an episode's. */
static void exorl_files_add(struct exorl_files *files, size_t *capacity, const char *name,
                            size_t member)
{
    struct exorl_file file = {.member = member};
    if (!parse_file_name(&file, name) || files->count == FILES_MAX) {
        return;
    }
    if (files->count == *capacity) {
        enum { FIRST_ROOM = 1024 };
        size_t grown = *capacity > 0 ? 2 * *capacity : FIRST_ROOM;
        files->files = memory_grow(files->files, *capacity, grown, sizeof *files->files);
        *capacity = grown;
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
    size_t capacity = 0;
    const struct dirent *entry;
    errno = 0;
    while ((entry = readdir(stream)) != NULL) {
        exorl_files_add(files, &capacity, entry->d_name, 0);
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
    if (!exorl_list_folder(files, path, failure)) {
        return false;
    }
    char buffer[FILE_PATH_MAX];
    struct stat status;
    return files->count > 0 || !file_join(buffer, path, "buffer", failure) ||
           stat(buffer, &status) != 0 || exorl_list_folder(files, buffer, failure);
}

static bool exorl_list_zip(struct exorl_files *files, const char *path, struct failure *failure)
{
    files->zip = npz_open(path, failure);
    if (!files->zip) {
        return false;
    }
    files->root = memory_copy_text(path);
    size_t capacity = 0;
    for (size_t i = 0; i < npz_count(files->zip); i++) {
        exorl_files_add(files, &capacity, npz_name(files->zip, i), i);
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
        size_t folder = (size_t)(base_name(file->name) - file->name);
        if (folder != (size_t)(base_name(before->name) - before->name) ||
            strncmp(file->name, before->name, folder) != 0) {
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

bool exorl_files_open(struct exorl_files *files, const char *path, struct failure *failure)
{
    *files = (struct exorl_files){0};
    struct stat status;
    bool is_folder = stat(path, &status) == 0 && S_ISDIR(status.st_mode);
    bool is_listed =
        is_folder ? exorl_list_folders(files, path, failure) : exorl_list_zip(files, path, failure);
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
    struct stat status;
    if (stat(path, &status) != 0) {
        return false;
    }
    if (S_ISDIR(status.st_mode)) {
        struct exorl_files files = {0};
        bool is_one = exorl_list_folders(&files, path, &failure) && files.count > 0;
        exorl_files_close(&files);
        return is_one;
    }
    unsigned char start[2];
    struct file_reader reader;
    if (!S_ISREG(status.st_mode) || !file_reader_open(&reader, path, &failure)) {
        return false;
    }
    bool is_zip = reader.size >= sizeof start &&
                  file_reader_read(&reader, start, sizeof start, 0, &failure) && start[0] == 'P' &&
                  start[1] == 'K';
    file_reader_close(&reader);
    return is_zip;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static bool exorl_files_read_member(struct exorl_files *files, size_t member, size_t *size,
                                    struct failure *failure)
{
    if (!npz_size(size, files->zip, member, failure)) {
        return false;
    }
    files->bytes = memory_reserve(files->bytes, &files->capacity, *size);
    return npz_read(files->bytes, *size, files->zip, member, failure);
}

static bool exorl_files_read_file(struct exorl_files *files, const char *name, size_t *size,
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
        files->bytes = memory_reserve(files->bytes, &files->capacity, *size);
        is_read = file_reader_read(&reader, files->bytes, *size, 0, failure);
    }
    file_reader_close(&reader);
    return is_read;
}

const void *exorl_files_read(struct exorl_files *files, size_t index, size_t *size,
                             struct failure *failure)
{
    const struct exorl_file *file = &files->files[index];
    bool is_read = files->zip ? exorl_files_read_member(files, file->member, size, failure)
                              : exorl_files_read_file(files, file->name, size, failure);
    return is_read ? files->bytes : NULL;
}

void exorl_files_name(char *name, size_t size, const struct exorl_files *files, size_t index)
{
    snprintf(name, size, "%s%s%s", files->root, files->zip ? ": " : "/", files->files[index].name);
}
