/* A fuzz target (libFuzzer) for the readers of HDF5. Whatever the bytes are, opening and
 * reading must return, with an episode or with one line; the sandbox may crash, nothing else.
 * What runs in the sandbox does not guide the fuzzer. `scripts/fuzz` builds and runs it. */
#include <string.h>

#include "base/file.h"
#include "datasets/formats/formats.h"
#include "tests/fuzz/need.h"

enum { EPISODES_MAX = 4 };

/* Every number can be touched. */
static double touch(const struct store_spec *spec, const struct store_episode *episode)
{
    double sum = 0.0;
    for (size_t i = 0; i < (episode->length + 1) * spec->observation_dim; i++) {
        sum += (double)episode->observation[i];
    }
    for (size_t i = 0; i < episode->length * spec->action_dim; i++) {
        sum += (double)episode->action[i];
    }
    return sum;
}

static void read_as(const struct format_reader *format, const char *path)
{
    struct store_spec spec;
    struct failure failure = {0};
    const struct format_options options = {.episode_steps_max = 3};
    void *source = format->open(path, &options, &spec, &failure);
    if (!source) {
        need_line(&failure);
        return;
    }
    size_t count = format->episode_count(source);
    volatile double sum = 0.0;
    for (size_t i = 0; i < count && i < EPISODES_MAX; i++) {
        struct format_episode episode;
        struct failure bad = {0};
        if (format->read(source, i, &episode, &bad)) {
            sum += touch(&spec, &episode.data);
        } else {
            need_line(&bad);
        }
    }
    format->close(source);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
    static const char path[] = "build-fuzz/hdf5/input.hdf5";
    struct failure failure = {0};
    need(file_write(path, bytes, size, &failure));
    read_as(&format_d4rl, path);
    read_as(&format_minari, path);
    read_as(&format_robomimic, path);
    return 0;
}
