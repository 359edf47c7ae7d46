#include "datasets/jobs/convert.h"

#include <dirent.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"
#include "comm/comm.h"
#include "datasets/jobs/convert_input.h"
#include "datasets/jobs/store_job.h"
#include "datasets/store_format.h"

/* Episodes that a rank converts between two looks whether another one has met a bad one. */
enum { ROUND = 32, RECIPE_MAX = 14336 };

/* Of the size and time of a file, or of all files of a folder, in whatever order it lists them.
 * Neither what is hidden nor what a conversion leaves beside its input. */
static uint64_t hash_files(const char *path, size_t depth)
{
    enum { DEPTH_MAX = 4 };
    struct stat status = {0};
    stat(path, &status);
    if (!S_ISDIR(status.st_mode)) {
        const int64_t seen[] = {status.st_size, status.st_mtim.tv_sec, status.st_mtim.tv_nsec};
        return store_hash_of(path, strlen(path)) ^ store_hash_of(seen, sizeof seen);
    }
    uint64_t sum = 0;
    DIR *folder = depth < DEPTH_MAX ? opendir(path) : NULL;
    const struct dirent *entry;
    while (folder && (entry = readdir(folder)) != NULL) {
        char inner[FILE_PATH_MAX];
        bool is_input = entry->d_name[0] != '.' && !strstr(entry->d_name, ".unfinished");
        if (is_input && file_join(inner, path, entry->d_name, &(struct failure){0})) {
            sum += hash_files(inner, depth + 1);
        }
    }
    if (folder) {
        closedir(folder);
    }
    return sum;
}

/* What the store depends on: the input, as far as that shows without reading it, and the options.
 */
static void write_recipe(char recipe[RECIPE_MAX], const struct convert_options *options,
                         const char *format, size_t episodes)
{
    snprintf(recipe, RECIPE_MAX,
             "input = %s\nfiles = %016" PRIx64 "\nformat = %s\nepisodes = %zu\nrelabel = %s\n"
             "convention = %d\ninertia = %d\ntask = %s\ndomain = %s\nsource = %s\n"
             "timestep = %.17g\nepisode_steps = %zu\npartial = %d\nskip_bad = %d\n"
             "actions = %d from %s to %s, counts %s\nobservation_keys = %s\nlabels = %s\n",
             options->input, hash_files(options->input, 0), format, episodes, options->relabel,
             (int)options->convention, (int)options->inertia, options->tasks, options->domain,
             options->source, options->control_timestep, options->reading.episode_steps_max,
             (int)options->partial, (int)options->bad, (int)options->actions, options->action_low,
             options->action_high, options->reading.action_counts,
             options->reading.observation_keys,
             options->expert.task ? options->expert.behaviour->source : "as recorded");
}

/* Log all variants of an input's episode, or that it is dropped. */
static bool convert_episode(struct convert_input *input, size_t index, struct episode_log *log,
                            struct failure *failure)
{
    struct converted_episode episode;
    struct failure found = {0};
    size_t number = index * input->variants;
    if (!convert_input_read(input, index, &episode, &found)) {
        if (found.code != EXIT_CODE_DATA || input->options->bad == CONVERT_REFUSE_BAD) {
            *failure = found;
            return false;
        }
        episode.tally.bad = 1;
    }
    for (size_t variant = 0; variant < input->variants; variant++) {
        const struct episode_tally *tally = variant == 0 ? &episode.tally : NULL;
        struct store_episode data = {0};
        if (episode.is_kept) {
            data = convert_input_variant(input, &episode, variant, number + variant);
        }
        bool ok = episode.is_kept
                      ? episode_log_append(log, number + variant, &data, tally, failure)
                      : episode_log_drop(log, number + variant, tally, found.text, failure);
        if (!ok && failure->code == EXIT_CODE_DATA && input->options->bad == CONVERT_SKIP_BAD) {
            const struct episode_tally bad = {.bad = 1};
            found = *failure;
            *failure = (struct failure){0};
            ok = episode_log_drop(log, number + variant, &bad, found.text, failure);
        }
        if (!ok) {
            return false;
        }
    }
    return true;
}

static void convert_episodes(struct convert_input *input, struct store_job *job)
{
    size_t done = 0;
    struct progress progress = progress_begin("convert", 0, store_job_units(job));
    for (size_t first; store_job_next(job, &first);) {
        struct failure failure = {0};
        if (!convert_episode(input, first / input->variants, store_job_log(job), &failure)) {
            store_job_fail(job, first, &failure);
        }
        progress_show(&progress, ++done, "");
    }
}

/* Bytes of the arrays of a store that grow with its steps. */
static uint64_t array_bytes(const struct store_spec *spec, size_t episodes, size_t steps)
{
    uint64_t state = spec->observation_dim * sizeof(float) + spec->physics_dim * sizeof(double);
    uint64_t step =
        (spec->action_dim * (spec->has_label ? 2 : 1) + spec->task_count) * sizeof(float);
    return (steps + episodes) * state + steps * step + episodes * spec->hidden_dim * sizeof(double);
}

static bool convert_all(struct convert_summary *summary, struct convert_input *input,
                        struct failure *failure)
{
    char recipe[RECIPE_MAX];
    size_t count = input->format->episode_count(input->source);
    comm_same(count, "episodes of the input");
    write_recipe(recipe, input->options, input->format->name, count);
    comm_same(store_hash_of(recipe, strlen(recipe)), "the hash of the input's files and options");
    const struct store_job_options options = {
        .log = {.path = input->options->output,
                .spec = &summary->spec,
                .recipe = recipe,
                .episodes = count * input->variants},
        .unit = input->variants,
        .round = ROUND,
    };
    struct episode_log_result result;
    struct store_job *job = store_job_open(&options, failure);
    if (!job) {
        return false;
    }
    if (store_job_finished(job) > 0) {
        log_line("convert: %zu of %zu episodes are converted already; going on",
                 store_job_finished(job), options.log.episodes);
    }
    convert_episodes(input, job);
    if (!store_job_finish(job, &result, failure)) {
        return false;
    }
    summary->episodes = result.episodes;
    summary->steps = result.steps;
    summary->partial = result.tally.partial;
    summary->bad = result.tally.bad;
    summary->clipped = result.tally.changed;
    summary->numbers = result.steps * summary->spec.action_dim / input->variants;
    summary->bytes = array_bytes(&summary->spec, result.episodes, result.steps);
    snprintf(summary->first_bad, sizeof summary->first_bad, "%s", result.first_bad);
    return true;
}

bool convert_run(struct convert_summary *summary, const struct convert_options *options,
                 struct failure *failure)
{
    *summary = (struct convert_summary){.format = ""};
    double begun = clock_seconds();
    struct convert_input input;
    convert_input_open(&input, options, &summary->spec, failure);
    bool ok = comm_agree_on(failure);
    summary->format = ok ? input.format->name : "";
    ok = ok && convert_all(summary, &input, failure);
    convert_input_close(&input);
    summary->seconds = clock_seconds() - begun;
    return ok;
}
