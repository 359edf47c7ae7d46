#include "tests/datasets/collection.h"

#include "behaviours/random_actions.h"
#include "behaviours/script.h"
#include "behaviours/searcher.h"

static bool open_behaviour(struct behaviour *behaviour, const struct collection *collection,
                           const struct env_spec *spec, struct failure *failure)
{
    struct noise_options noise = {.deviation = collection->noise, .coefficient = 0.9};
    if (collection->policy == COLLECTION_SCRIPT) {
        return script_open(behaviour, spec, &noise, 1, failure);
    }
    if (collection->policy == COLLECTION_SEARCHER) {
        return searcher_open(behaviour, spec, 1, failure);
    }
    *behaviour = random_actions_open(spec);
    if (collection->policy == COLLECTION_TRIALS) {
        behaviour->remembers_trials = true;
        behaviour->is_trained = true;
    }
    return true;
}

bool collection_run(const struct collection *collection, struct collector_summary *summary,
                    struct failure *failure)
{
    struct env_task *task = env_task_open_by(collection->task, collection->inertia, failure);
    struct behaviour behaviour;
    if (!task || !open_behaviour(&behaviour, collection, env_task_spec(task), failure)) {
        env_task_close(task);
        return false;
    }
    struct collector_options options = {
        .task = task,
        .behaviour = &behaviour,
        .groups = collection->groups,
        .episodes = collection->episodes,
        .seed = collection->seed,
        .path = collection->path,
    };
    bool ok = collector_run(&options, summary, failure);
    behaviour.close(&behaviour);
    env_task_close(task);
    return ok;
}
