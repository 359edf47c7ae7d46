/* A format whose reader lives in a process of its own, so that a hostile file can at worst end
 * that.
 *
 * The child is a fork, not another program: it works from every program of ours without a hidden
 * command, it starts with HDF5 untouched wherever this process never calls it, and it makes no MPI
 * call and ends by _exit, so that MPI does not notice it. It gets limits of memory and of processor
 * time for each question, the signals' default actions, no open files but its own and no core. It
 * writes episodes into memory that both share. A crash, a hang or a limit becomes one line. */
#ifndef CHAINRING_DATASETS_FORMATS_SANDBOX_H
#define CHAINRING_DATASETS_FORMATS_SANDBOX_H

#include "datasets/formats/format.h"

struct sandbox_limits {
    size_t memory_bytes;      /* beyond what this process has, for the library and the reader */
    size_t episode_bytes;     /* of one episode in the shared memory */
    unsigned cpu_seconds;     /* processor time for one question */
    unsigned timeout_seconds; /* until it is answered */
};

extern const struct sandbox_limits sandbox_limits_default;

/* As the functions of struct format_reader: `reader` is the format that does the work in the
 * child. What sandbox_open returns goes with the others here, not with the reader's.
 * After a crash in sandbox_read the episode is bad (EXIT_CODE_DATA), and the next one gets a new
 * child. Local. */
void *sandbox_open(const struct format_reader *reader, const struct sandbox_limits *limits,
                   const char *path, const struct format_options *options, struct store_spec *spec,
                   struct failure *failure);
void sandbox_close(void *opened);
size_t sandbox_episode_count(const void *opened);
size_t sandbox_step_count(const void *opened); /* 0 where the reader does not know */
bool sandbox_read(void *opened, size_t index, struct format_episode *episode,
                  struct failure *failure);

/* Run work(self) in a child without these limits and bring back how it failed; for writing with a
 * library that is of no use any more, and cannot end, after an error. `path` is for messages. */
bool sandbox_run(bool (*work)(void *self, struct failure *failure), void *self, const char *path,
                 struct failure *failure);

#endif
