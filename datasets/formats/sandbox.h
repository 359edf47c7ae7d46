/* Runs a reader in a process of its own, so that a hostile file can at worst end that process.
 *
 * The sandbox is a fork, not another program: it needs no hidden command, and HDF5 is uninitialised
 * in it wherever this process does not use it. It makes no MPI calls and ends by _exit, so that MPI
 * does not notice it. It has limits of memory and of processor time for each request, default
 * signal actions, no open files but its own and no core dumps. Episodes come back in shared memory.
 * A crash, a hang or a limit becomes one line of failure. */
#ifndef CHAINRING_DATASETS_FORMATS_SANDBOX_H
#define CHAINRING_DATASETS_FORMATS_SANDBOX_H

#include "datasets/formats/format.h"

struct sandbox_limits {
    size_t memory_bytes;      /* for the library and the reader, beyond what this process has */
    size_t episode_bytes;     /* of the shared memory, for one episode */
    unsigned cpu_seconds;     /* processor time for one request */
    unsigned timeout_seconds; /* for a reply */
};

extern const struct sandbox_limits sandbox_limits_default;

/* The functions of a struct format_reader whose work `reader` does in a sandbox. After a crash in
 * sandbox_read the episode is bad (EXIT_CODE_DATA), and the next one gets a new sandbox. Local. */
void *sandbox_open(const struct format_reader *reader, const struct sandbox_limits *limits,
                   const char *path, const struct format_options *options, struct store_spec *spec,
                   struct failure *failure);
void sandbox_close(void *opened);
size_t sandbox_episode_count(const void *opened);
bool sandbox_read(void *opened, size_t index, struct format_episode *episode,
                  struct failure *failure);

/* Run work(self) in a process of its own without these limits and return its failure: for writing
 * with a library that after an error can neither be used any more nor exit. `path` is for messages.
 */
bool sandbox_run(bool (*work)(void *self, struct failure *failure), void *self, const char *path,
                 struct failure *failure);

#endif
