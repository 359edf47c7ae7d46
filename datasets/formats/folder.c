#include "datasets/formats/folder.h"

#include <stdio.h>
#include <sys/stat.h>

#include "base/file.h"

bool folder_write(const char *path, const struct store *store,
                  bool (*fill)(const char *folder, const struct store *store,
                               struct failure *failure),
                  struct failure *failure)
{
    struct stat status;
    if (lstat(path, &status) == 0) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%s: found something of that name, expected nothing there; remove it or "
                           "choose another name",
                           path);
    }
    char part[FILE_PATH_MAX];
    if (snprintf(part, sizeof part, "%s.part", path) >= (int)sizeof part) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%.100s...: found a path that is too long; use a shorter one", path);
    }
    bool is_written = file_remove_tree(part, failure) && file_make_folder(part, failure) &&
                      fill(part, store, failure) && file_sync_folder(part, failure) &&
                      file_rename_folder(part, path, failure);
    if (!is_written) {
        struct failure second = {.code = EXIT_CODE_DONE}; /* the first is what matters */
        file_remove_tree(part, &second);
    }
    return is_written;
}
