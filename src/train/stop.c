#include "train/stop.h"

#include <signal.h>
#include <stddef.h>

static volatile sig_atomic_t wanted;

static void mark(int signal_number)
{
    (void)signal_number;
    wanted = 1;
}

void stop_listen(void)
{
    struct sigaction action = {.sa_handler = mark, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigemptyset(&action.sa_mask);
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGUSR1, &action, NULL);
}

bool stop_wanted(void)
{
    return wanted != 0;
}
