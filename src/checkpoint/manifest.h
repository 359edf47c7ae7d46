/* The list of a checkpoint's files with their sizes and hashes, written last.
 *
 * A folder is a whole checkpoint if and only if its MANIFEST.json can be read and every file in it
 * has the size and the hash that stand there. Private to this folder. Everything is local. */
#ifndef CHAINRING_CHECKPOINT_MANIFEST_H
#define CHAINRING_CHECKPOINT_MANIFEST_H

#include "checkpoint/digest.h"

struct manifest_file {
    const char *name; /* a constant */
    struct digest digest;
};

/* Write FOLDER/MANIFEST.json for `count` files of a checkpoint made after `step` steps. */
bool manifest_write(const char *folder, uint64_t step, const struct manifest_file *files,
                    size_t count, struct failure *failure);

/* False and a failure that says what to do where the folder's manifest is of another version of
 * this program; true also where there is none that can be read. */
bool manifest_check_version(const char *folder, struct failure *failure);

/* Compare a folder with its manifest: it must list exactly `count` files with the given names and
 * be made after `step` steps. Reads every byte of every file. Failures name the file, what was
 * found and what was expected. */
bool manifest_verify(const char *folder, uint64_t step, const struct manifest_file *files,
                     size_t count, struct failure *failure);

#endif
