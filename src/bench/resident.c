#include "bench/resident.h"

#include <fcntl.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

double resident_peak(void)
{
    static const char label[] = "VmHWM:";
    char line[256];
    unsigned long long kibibytes = 0;
    FILE *status = fopen("/proc/self/status", "r");
    while (status && fgets(line, sizeof line, status)) {
        if (strncmp(line, label, strlen(label)) == 0) {
            kibibytes = strtoull(line + strlen(label), NULL, 10);
            break;
        }
    }
    if (status) {
        fclose(status);
    }
    return kibibytes > 0 ? 1024.0 * (double)kibibytes : (double)NAN;
}

/* proc(5): writing 5 resets the peak to the present value. */
double resident_begin(void)
{
    int file = open("/proc/self/clear_refs", O_WRONLY | O_CLOEXEC);
    if (file < 0) {
        return (double)NAN;
    }
    ssize_t written = write(file, "5", 1);
    close(file);
    return written == 1 ? resident_peak() : (double)NAN;
}
