/* What a run says while it works: whole lines, from one rank.
 *
 * Lines go to standard error (standard output is for results: tables, JSON) and, once a run folder
 * is open, to its log.txt with a time in front. A progress line is rewritten in place on a
 * terminal and is a plain line now and then elsewhere. Not for errors: those are fatal.h's. */
#ifndef CHAINRING_BASE_LOG_H
#define CHAINRING_BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>

/* Only a rank that speaks prints; comm silences all but rank 0. Local, like all of this file. */
void log_set_speaking(bool is_speaking);
void log_set_quiet(bool is_quiet); /* nothing to standard error; log.txt still gets all */

/* Also append to a file; one that cannot be opened or written costs one warning, never the run. */
void log_open_file(const char *path);
void log_close_file(void);

void log_line(const char *format, ...) __attribute__((format(printf, 1, 2)));
void log_warning(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Progress of `done` in `total`; prints at most a few times a second on a terminal, every
 * `plain_seconds` elsewhere, and always when done == total. `detail` may be empty. */
struct progress {
    const char *label;
    size_t total;
    double begun;
    double shown;
    size_t done_before; /* done at the beginning: a resumed run's rate counts only new work */
};
struct progress progress_begin(const char *label, size_t done, size_t total);
void progress_show(struct progress *progress, size_t done, const char *detail);

/* Seconds left at the present rate; negative while unknown. */
double progress_seconds_left(const struct progress *progress, size_t done);

#endif
