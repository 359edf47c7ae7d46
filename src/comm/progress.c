#include "comm/progress.h"

#include <stddef.h>

#include "base/fatal.h"

enum { MOVERS_MAX = 16 }; /* rings and reductions that are open at once */

static struct {
    size_t count;
    struct {
        void (*move)(void *self);
        void *self;
    } movers[MOVERS_MAX];
} progress;

void comm_progress(void)
{
    for (size_t i = 0; i < progress.count; i++) {
        progress.movers[i].move(progress.movers[i].self);
    }
}

void progress_add(void (*move)(void *self), void *self)
{
    invariant(progress.count < MOVERS_MAX);
    progress.movers[progress.count].move = move;
    progress.movers[progress.count].self = self;
    progress.count++;
}

void progress_remove(const void *self)
{
    size_t left = 0;
    for (size_t i = 0; i < progress.count; i++) {
        if (progress.movers[i].self != self) {
            progress.movers[left++] = progress.movers[i];
        }
    }
    progress.count = left;
}
