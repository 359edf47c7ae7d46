#include "cli/commands.h"

#include <stdio.h>

#include "base/memory.h"
#include "cli/config_map.h"
#include "comm/comm.h"
#include "envs/camera.h"
#include "eval/evaluation.h"
#include "eval/recording.h"
#include "eval/video.h"

/* --- What to show ----------------------------------------------------------------------------- */

static bool render_check_subject(const struct config *config, const char *run,
                                 struct failure *failure)
{
    const char *store = config->render.store;
    if (run[0] && store[0]) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "render: found RUN and --store, expected one of them; render twice");
    }
    return run[0] || store[0] || config->render.task[0] ||
           failure_set(failure, EXIT_CODE_USAGE,
                       "render: found no RUN, --store or --task, expected what to show; chainring "
                       "inspect --tasks lists the tasks");
}

/* The policy of a run as eval plays it, for one hidden task and the trials that are asked for. */
static void record_policy(struct recording *recording, const struct config *config, const char *run)
{
    struct failure failure = {0};
    const struct rollout_observer observer = recording_observer(recording);
    struct evaluation_result *result = memory_take(1, sizeof *result);
    struct evaluation_options *options = memory_take(1, sizeof *options);
    config_evaluation_options(options, config, run, &failure);
    comm_agree(&failure);
    if (config->render.task[0] != '\0') {
        options->task = config->render.task;
    }
    options->contexts = options->batch = options->threads = 1;
    options->trials = config->render.trial;
    options->seed = config->render.seed;
    options->observer = &observer;
    evaluation_run(options, result);
    evaluation_close(result);
    memory_free(options);
    memory_free(result);
}

/* Rank 0 alone. */
static bool record_other(struct recording *recording, const struct config *config,
                         struct failure *failure)
{
    size_t trials = config->render.trial > 0 ? config->render.trial : 1;
    if (config->render.store[0]) {
        return recording_read(recording, config->render.store, config->render.episode,
                              config->render.task, failure);
    }
    return recording_play(recording, config->render.task,
                          (enum recording_behaviour)config->render.policy, trials,
                          config->render.seed, failure);
}

/* --- Showing it ------------------------------------------------------------------------------- */

static void print_file(const struct video_file *file, const char *kind, double seconds)
{
    if (file->path[0] == '\0') {
        return;
    }
    printf("%s: %s of %zu frames, %zux%zu, ", file->path, kind, file->frames, file->width,
           file->height);
    if (seconds > 0.0) {
        printf("%.2f s, ", seconds);
    }
    printf("%.1f kB\n", (double)file->bytes / 1000.0);
}

static void print_video(const struct recording *recording, const struct video *video)
{
    printf("%s: %zu steps, return %.2f\n", recording->task, recording->rows - 1,
           recording->episode_return);
    print_file(&video->animation, "video",
               video->seconds_a_frame * (double)video->animation.frames);
    print_file(&video->strip, "strip", 0.0);
    print_file(&video->frames, "folder", 0.0);
}

static void render_recording(const struct config *config, const struct recording *recording,
                             struct failure *failure)
{
    struct video_options options = {
        .folder = config->render.output,
        .steps = config->render.steps,
        .every = config->render.every,
        .fps = config->render.fps,
        .quality = config->render.quality,
        .strip = config->render.strip,
        .frames = config->render.frames == CONFIG_YES ? VIDEO_WITH_FRAMES : VIDEO_WITHOUT_FRAMES,
    };
    struct video *video = memory_take(1, sizeof *video);
    if (config_size(&options.width, &options.height, config->render.size, failure) &&
        video_write(video, recording, &options, failure)) {
        print_video(recording, video);
    }
    memory_free(video);
}

enum exit_code command_render(const struct config *config, const char *subject)
{
    struct failure failure = {0};
    struct recording recording = {0};
    if (comm_rank() == 0 && render_check_subject(config, subject, &failure)) {
        camera_check(&failure); /* before an episode is played for nothing */
    }
    comm_agree(&failure);
    if (subject[0]) {
        record_policy(&recording, config, subject);
    } else if (comm_rank() == 0) {
        record_other(&recording, config, &failure);
    }
    comm_agree(&failure);
    if (comm_rank() == 0) {
        render_recording(config, &recording, &failure);
    }
    comm_agree(&failure);
    recording_close(&recording);
    return EXIT_CODE_DONE;
}
