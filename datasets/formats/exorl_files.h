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
    char *name;              /* of the file, or of the zip's member */
    size_t member;           /* of the zip */
    uint64_t number, length; /* by its name: of the episode, in steps */
};

struct exorl_files {
    char *root;      /* the folder that the files lie in, or the zip file */
    struct npz *zip; /* NULL: a folder */
    size_t count;
    struct exorl_file *files; /* sorted by the text before the number, then the number */
    unsigned char *bytes;     /* of the file read last */
    size_t capacity;
};

/* Does `path` look like such a data set? */
bool exorl_files_recognise(const char *path);

/* List them; false and a failure where there are none, where a number comes twice, or where the
 * files of a zip lie in several folders. The caller closes it in either case. */
bool exorl_files_open(struct exorl_files *files, const char *path, struct failure *failure);
void exorl_files_close(struct exorl_files *files);

/* The bytes of one npz file, valid until the next read or the close. NULL and a failure. */
const void *exorl_files_read(struct exorl_files *files, size_t index, size_t *size,
                             struct failure *failure);

/* "ROOT/NAME" or "ROOT: NAME", for messages. */
void exorl_files_name(char *name, size_t size, const struct exorl_files *files, size_t index);

#endif
