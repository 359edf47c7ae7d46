/* Files that are whole or not there, and the folders that they stand in.
 *
 * A file is written under a temporary name (its own and ".tmp"), synced, renamed, and its folder
 * synced: a kill or a power cut leaves the old file or the new one. Reading refuses what is no
 * plain file and what is larger than the caller can use. This module does not know what the bytes
 * mean. Everything in it is local; failures are EXIT_CODE_IO unless stated otherwise. */
#ifndef CHAINRING_BASE_FILE_H
#define CHAINRING_BASE_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/fatal.h"

/* The longest path, with its closing zero. */
enum { FILE_PATH_MAX = 4096 };

/* path = folder/name; path has room for FILE_PATH_MAX characters. Fails (EXIT_CODE_USAGE) where the
 * result would be longer. */
bool file_join(char *path, const char *folder, const char *name, struct failure *failure);

/* --- Writing ---------------------------------------------------------------------------------- */

/* A file on its way to its name. */
struct file_writer {
    char path[FILE_PATH_MAX];
    char temporary[FILE_PATH_MAX];
    int descriptor; /* -1: closed */
};

/* Begin a file that will be called `path`; its folder must exist. A temporary file that an earlier
 * process left behind is replaced. After a failure of any of these the writer is closed and nothing
 * is left behind. Two writers of one path at a time are the caller's mistake. */
bool file_writer_open(struct file_writer *writer, const char *path, struct failure *failure);
bool file_writer_append(struct file_writer *writer, const void *bytes, size_t size,
                        struct failure *failure);

/* Sync the file and give it its name, replacing a file that has it; or leave nothing behind. */
bool file_writer_commit(struct file_writer *writer, struct failure *failure);
void file_writer_discard(struct file_writer *writer);

/* The three in one, for a file that fits in memory. */
bool file_write(const char *path, const void *bytes, size_t size, struct failure *failure);
bool file_write_text(const char *path, const char *text, struct failure *failure);

/* Create a file in a folder that nobody else looks into yet; it is on the disk once
 * file_sync_system has said so. */
bool file_write_new(const char *path, const void *bytes, size_t size, struct failure *failure);

/* Bring everything that was written to the file system of `folder` to the disk. */
bool file_sync_system(const char *folder, struct failure *failure);

/* --- Reading ---------------------------------------------------------------------------------- */

struct file_reader {
    const char *path; /* borrowed */
    int descriptor;
    uint64_t size; /* bytes, when it was opened */
};

/* Fails with EXIT_CODE_NO_INPUT where there is nothing to open and EXIT_CODE_DATA where it is no
 * plain file. The caller closes it with file_reader_close. */
bool file_reader_open(struct file_reader *reader, const char *path, struct failure *failure);
void file_reader_close(struct file_reader *reader);

/* Exactly `size` bytes from `offset` on. Thread-safe. */
bool file_reader_read(const struct file_reader *reader, void *bytes, size_t size, uint64_t offset,
                      struct failure *failure);

/* A whole file with a zero behind it; the caller frees it with memory_free. NULL and a failure as
 * above, and EXIT_CODE_DATA for more than size_max bytes. size may be NULL. */
char *file_read(const char *path, size_t size_max, size_t *size, struct failure *failure);

/* --- Folders ---------------------------------------------------------------------------------- */

/* Make a folder and those above it; one that exists is fine. */
bool file_make_folder(const char *path, struct failure *failure);

/* The same for the folder that a file called `path` will stand in. */
bool file_make_parent(const char *path, struct failure *failure);

/* Bring a folder's list of names to the disk. */
bool file_sync_folder(const char *path, struct failure *failure);

/* Give the folder `from` the name `to` and sync the folder above. Where `to` exists the two
 * are exchanged, in one step if the file system can do that: `from` is then the old folder, for the
 * caller to remove. Both must stand in the same folder. */
bool file_rename_folder(const char *from, const char *to, struct failure *failure);

/* Remove a file, a link (not what it points to) or a folder with all that is in it. A path
 * that does not exist is no failure. */
bool file_remove_tree(const char *path, struct failure *failure);

/* The same for every entry of `folder` whose name begins with `prefix`. */
bool file_remove_beginning(const char *folder, const char *prefix, struct failure *failure);

/* The numbers N of the entries of `folder` that are called `prefix` and N in decimal, ascending.
 * The caller frees *numbers with memory_free. A folder that is not there has none. */
bool file_list_numbered(uint64_t **numbers, size_t *count, const char *folder, const char *prefix,
                        struct failure *failure);

#endif
