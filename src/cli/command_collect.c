#include "cli/commands.h"

#include <stdio.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/workers.h"
#include "behaviours/ornstein_uhlenbeck.h"
#include "behaviours/planner.h"
#include "behaviours/random_actions.h"
#include "behaviours/script.h"
#include "cli/config_map.h"
#include "comm/comm.h"
#include "datasets/jobs/collector.h"
#include "eval/trained_policy.h"

static bool open_planner(struct behaviour *behaviour, const struct env_task *task,
                         const struct config_collect *collect, struct failure *failure)
{
    struct planner_options options = {
        .samples = collect->samples,
        .horizon = collect->horizon,
        .points = collect->points,
        .order = (enum spline_order)collect->spline,
        .deviation = collect->spread,
        .every = collect->every,
        .threads = comm_threads(collect->threads),
    };
    planner_set_defaults(&options, env_task_spec(task));
    return planner_open(behaviour, task, &options, 1, failure);
}

/* A trained policy that acts, and what it borrows. */
struct checkpoint_policy {
    struct trained_policy trained;
    struct workers *workers;
    double *explore; /* (episodes) */
};

static bool collect_check_trials(const struct trained_policy *trained, size_t trials,
                                 struct failure *failure)
{
    size_t most = trained->policy.shape.trial_max;
    return trials <= most ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "found %zu episodes in a group, expected at most %zu, the longest contexts "
                       "that the policy in %s was trained on; lower their number",
                       trials, most, trained->path);
}

/* Collective, and fatal on all ranks where it fails. `policy` must live as long as the behaviour.
 */
static void open_policy(struct behaviour *behaviour, struct checkpoint_policy *policy,
                        const struct env_spec *spec, const struct config *config)
{
    const struct config_collect *collect = &config->collect;
    struct failure failure = {0};
    if (collect->run[0] == '\0' && collect->checkpoint[0] == '\0') {
        failure_set(&failure, EXIT_CODE_CONFIG,
                    "collect.run: found no run, expected the folder of one whose policy acts");
    }
    policy->explore = memory_take(collect->episodes, sizeof *policy->explore);
    double target, added;
    config_target(&target, "collect.target", collect->target, &failure);
    config_explore(policy->explore, collect->episodes, "collect.explore", collect->explore,
                   &failure);
    comm_agree(&failure);
    trained_policy_find(&policy->trained, collect->run, collect->checkpoint);
    if (trained_policy_check(&policy->trained, spec, &failure)) {
        collect_check_trials(&policy->trained, collect->episodes, &failure);
    }
    policy->workers = workers_open(1, &failure);
    comm_agree(&failure);
    struct trained_policy_options options = {
        .contexts = 1,
        .trials = collect->episodes,
        .target = trained_policy_target(&added, &policy->trained, target, collect->target_margin),
        .explore = policy->explore,
        .kernel = (enum attention_choice)config->attention.kernel,
        .workers = policy->workers,
    };
    trained_policy_open(behaviour, &policy->trained, spec, &options);
}

static bool open_behaviour(struct behaviour *behaviour, const struct env_task *task,
                           const struct config_collect *collect, struct failure *failure)
{
    const struct env_spec *spec = env_task_spec(task);
    struct noise_options noise = {.deviation = collect->noise, .coefficient = collect->coefficient};
    switch ((enum config_policy)collect->policy) {
    case CONFIG_POLICY_SCRIPT:
        return script_open(behaviour, spec, &noise, 1, failure);
    case CONFIG_POLICY_RANDOM:
        *behaviour = random_actions_open(spec);
        return true;
    case CONFIG_POLICY_ORNSTEIN_UHLENBECK:
        return ornstein_uhlenbeck_open(behaviour, spec, &noise, 1, failure);
    case CONFIG_POLICY_PLANNER:
        return open_planner(behaviour, task, collect, failure);
    case CONFIG_POLICY_CHECKPOINT:
        break; /* opened by all ranks together */
    }
    invariant(!"a policy that there is");
    return false;
}

static void print_collection(const struct collector_summary *summary, const char *path,
                             struct failure *failure)
{
    if (summary->redrawn > 0) {
        log_warning("%s: %zu episodes became unstable in simulation and were drawn again", path,
                    summary->redrawn);
    }
    collector_print(stdout, summary, path);
    if (fflush(stdout) != 0 || ferror(stdout)) {
        failure_set(failure, EXIT_CODE_IO, "standard output: the summary cannot be written");
    }
}

static void collect_store(const struct collector_options *options)
{
    struct failure failure = {0};
    struct collector_summary summary;
    if (comm_rank() == 0) {
        file_make_parent(options->path, &failure);
    }
    comm_agree(&failure);
    if (collector_run(options, &summary, &failure) && comm_rank() == 0) {
        print_collection(&summary, options->path, &failure);
    }
    comm_agree(&failure);
}

enum exit_code command_collect(const struct config *config, const char *subject)
{
    (void)subject;
    struct failure failure = {0};
    struct behaviour behaviour = {0};
    struct collector_options options = {
        .behaviour = &behaviour,
        .groups = config->collect.groups,
        .episodes = config->collect.episodes,
        .seed = config->collect.seed,
        .path = config->collect.output,
    };
    struct env_task *task = env_task_open_by(config->collect.task,
                                             (enum inertia_rule)config->collect.inertia, &failure);
    options.task = task;
    bool is_policy = config->collect.policy == CONFIG_POLICY_CHECKPOINT;
    if (task && !is_policy) {
        open_behaviour(&behaviour, task, &config->collect, &failure);
    }
    comm_agree(&failure);
    struct checkpoint_policy *policy = memory_take(1, sizeof *policy);
    if (is_policy) {
        open_policy(&behaviour, policy, env_task_spec(task), config);
    }
    collect_store(&options);
    behaviour_close(&behaviour);
    workers_close(policy->workers);
    memory_free(policy->explore);
    memory_free(policy);
    env_task_close(task);
    return EXIT_CODE_DONE;
}
