/* Finds the episodes of an ExoRL or URLB data set: files NAME_NUMBER_STEPS.npz in a folder, in
 * its subfolder `buffer`, or in one folder of a zip file (private to exorl*.c).
 *
 * Local; does not look into the files. */
#ifndef CHAINRING_DATASETS_FORMATS_EXORL_FILES_H
#define CHAINRING_DATASETS_FORMATS_EXORL_FILES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"
#include "datasets/formats/npz.h"

struct exorl_file {
    char *name;              /* of the file, or of the zip's member with its folders */
    size_t folder, prefix;   /* characters of the name up to the last "/", and to the number */
    uint64_t number, length; /* by its name: of the episode, in steps */
    size_t member;           /* of the zip */
};

struct exorl_files {
    char *root;      /* the folder that the files lie in, or the zip file */
    struct npz *zip; /* NULL: a folder */
    size_t count, capacity;
    struct exorl_file *files; /* sorted by the text before the number, then the number */
    char *bytes;              /* of the file read last */
    size_t bytes_capacity;
};

/* Does `path` look like such a data set? */
bool exorl_files_recognise(const char *path);

/* List them; false and a failure where there are none, where a number comes twice, or where the
 * files of a zip lie in several folders. The caller closes it in either case. */
bool exorl_files_open(struct exorl_files *files, const char *path, struct failure *failure);
void exorl_files_close(struct exorl_files *files);

/* Open one npz file, called `where` in messages; the caller closes it before the next. NULL and a
 * failure. */
struct npz *exorl_files_open_npz(struct exorl_files *files, size_t index, const char *where,
                                 struct failure *failure);

/* "ROOT/NAME" or "ROOT: NAME", for messages. */
void exorl_files_name(char *name, size_t size, const struct exorl_files *files, size_t index);

#endif
