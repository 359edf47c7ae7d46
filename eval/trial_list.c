#include "eval/trial_list.h"

#include <stdio.h>
#include <string.h>

enum { RANGE_SIZE = 48 };

/* The marked trials from `first` on that follow one another. */
static size_t run_of_trials(const bool *is_marked, size_t trials, size_t first)
{
    size_t count = 0;
    while (first + count < trials && is_marked[first + count]) {
        count++;
    }
    return count;
}

/* Append ", 1 to 3"; false where it does not fit. */
static bool append_range(char *text, size_t size, size_t first, size_t count)
{
    char range[RANGE_SIZE];
    const char *between = text[0] == '\0' ? "" : ",";
    int length = count == 1 ? snprintf(range, sizeof range, "%s %zu", between, first + 1)
                            : snprintf(range, sizeof range, "%s %zu to %zu", between, first + 1,
                                       first + count);
    size_t used = strlen(text);
    if (used + (size_t)length + sizeof ", ..." > size) {
        snprintf(text + used, size - used, ", ...");
        return false;
    }
    memcpy(text + used, range, (size_t)length + 1);
    return true;
}

bool trial_list_any(const bool *is_marked, size_t trials)
{
    for (size_t trial = 0; trial < trials; trial++) {
        if (is_marked[trial]) {
            return true;
        }
    }
    return false;
}

void trial_list_print(char *text, size_t size, const bool *is_marked, size_t trials)
{
    static const char plural[] = "trials", singular[] = "trial";
    size_t all = 0;
    for (size_t trial = 0; trial < trials; trial++) {
        all += is_marked[trial];
    }
    if (all == trials && trials > 1) {
        snprintf(text, size, "all %s", plural);
        return;
    }
    const char *word = all == 1 ? singular : plural;
    size_t used = strlen(word);
    memcpy(text, word, used + 1);
    for (size_t trial = 0; trial < trials; trial++) {
        size_t count = run_of_trials(is_marked, trials, trial);
        if (count > 0 && !append_range(text + used, size - used, trial, count)) {
            return;
        }
        trial += count;
    }
}
