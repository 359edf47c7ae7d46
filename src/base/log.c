#include "base/log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

static const double terminal_seconds = 0.2;
static const double plain_seconds = 20.0;

static bool speaking = true;
static bool quiet;
static bool line_open; /* a progress line without its newline stands on the terminal */
static FILE *log_file;

void log_set_speaking(bool is_speaking)
{
    speaking = is_speaking;
}

void log_set_quiet(bool is_quiet)
{
    quiet = is_quiet;
}

void log_open_file(const char *path)
{
    log_close_file();
    log_file = fopen(path, "ae");
    if (!log_file) {
        log_warning("%s: cannot be opened (%s); this run keeps no log file", path, strerror(errno));
    }
}

void log_close_file(void)
{
    if (log_file) {
        fclose(log_file);
        log_file = NULL;
    }
}

static void write_to_file(const char *text)
{
    if (!log_file) {
        return;
    }
    char stamp[32];
    time_t now = time(NULL);
    struct tm local;
    localtime_r(&now, &local);
    strftime(stamp, sizeof stamp, "%Y-%m-%d %H:%M:%S", &local);
    fprintf(log_file, "%s %s\n", stamp, text);
    fflush(log_file);
}

static void log_text(const char *text)
{
    if (!speaking) {
        return;
    }
    if (!quiet) {
        fprintf(stderr, "%s%s\n", line_open ? "\r\033[K" : "", text);
        line_open = false;
    }
    write_to_file(text);
}

void log_line(const char *format, ...)
{
    char text[1024];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    log_text(text);
}

void log_warning(const char *format, ...)
{
    char text[1024] = "warning: ";
    size_t start = strlen(text);
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(text + start, sizeof text - start, format, arguments);
    va_end(arguments);
    log_text(text);
}

struct progress progress_begin(const char *label, size_t done, size_t total)
{
    double now = clock_seconds();
    return (struct progress){
        .label = label, .total = total, .begun = now, .shown = now, .done_before = done};
}

double progress_seconds_left(const struct progress *progress, size_t done)
{
    if (done <= progress->done_before) {
        return -1.0;
    }
    double elapsed = clock_seconds() - progress->begun;
    return elapsed * (double)(progress->total - done) / (double)(done - progress->done_before);
}

void progress_show(struct progress *progress, size_t done, const char *detail)
{
    bool on_terminal = isatty(STDERR_FILENO) == 1;
    double now = clock_seconds();
    double wanted = on_terminal ? terminal_seconds : plain_seconds;
    bool is_last = done >= progress->total;
    if (!speaking || (!is_last && now - progress->shown < wanted)) {
        return;
    }
    progress->shown = now;
    char left[32] = "";
    double seconds = progress_seconds_left(progress, done);
    if (!is_last && seconds >= 0.0) {
        snprintf(left, sizeof left, ", %.0f s left", seconds);
    }
    double percent = 100.0 * (double)done / (double)(progress->total ? progress->total : 1);
    char text[512];
    snprintf(text, sizeof text, "%s %zu/%zu (%.0f%%%s)%s%s", progress->label, done, progress->total,
             percent, left, detail[0] ? "  " : "", detail);
    if (on_terminal && !quiet && !is_last) {
        fprintf(stderr, "\r\033[K%s", text);
        line_open = true;
        return;
    }
    log_text(text);
}
