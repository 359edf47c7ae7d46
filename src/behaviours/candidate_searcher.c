#include "behaviours/candidate_searcher.h"

#include "base/memory.h"

/* What one context has seen. */
struct candidate_memory {
    size_t candidate; /* that is tried, or has paid */
    bool has_paid;    /* while it was tried, in this trial or before */
    size_t unpaid;    /* steps since it was aimed at or has paid */
};

struct candidate_searcher {
    const struct env_spec *spec;
    size_t patience;                   /* steps that a candidate has to pay */
    struct candidate_memory *memories; /* (slots) */
};

static void aim(const struct candidate_memory *memory, struct behaviour_row *row)
{
    const double candidate = (double)memory->candidate;
    env_script_aim(row->env, &candidate, &row->random);
}

static void candidate_searcher_begin_trial(const struct behaviour *behaviour,
                                           struct behaviour_row *row)
{
    const struct candidate_searcher *searcher = behaviour->self;
    struct candidate_memory *memory = &searcher->memories[row->slot];
    if (row->trial == 0) {
        *memory = (struct candidate_memory){.candidate = 0};
    }
    memory->unpaid = 0;
    aim(memory, row);
}

/* What pays half of the most is the one, or lies on the way to another: then that does not pay. */
static void learn_reward(const struct candidate_searcher *searcher, struct behaviour_row *row)
{
    struct candidate_memory *memory = &searcher->memories[row->slot];
    bool pays = (double)row->previous.reward > searcher->spec->reward_max / 2.0;
    memory->has_paid |= pays;
    memory->unpaid = pays ? 0 : memory->unpaid + 1;
    if (memory->unpaid >= (memory->has_paid ? 2 : 1) * searcher->patience) {
        memory->candidate = (memory->candidate + 1) % searcher->spec->hidden_count;
        memory->unpaid = 0;
        memory->has_paid = false;
        aim(memory, row);
    }
}

static void candidate_searcher_act(const struct behaviour *behaviour, struct behaviour_row *rows,
                                   size_t count)
{
    const struct candidate_searcher *searcher = behaviour->self;
    for (size_t i = 0; i < count; i++) {
        if (rows[i].time > 0) {
            learn_reward(searcher, &rows[i]);
        }
        env_script_act(rows[i].env, rows[i].action);
    }
}

static void candidate_searcher_close(const struct behaviour *behaviour)
{
    struct candidate_searcher *searcher = behaviour->self;
    memory_free(searcher->memories);
    memory_free(searcher);
}

void candidate_searcher_open(struct behaviour *behaviour, const struct env_spec *spec, size_t slots)
{
    invariant(spec->has_script && spec->hidden_dim == 1 && spec->hidden_count > 0);
    struct candidate_searcher *searcher = memory_take(1, sizeof *searcher);
    searcher->spec = spec;
    searcher->patience = spec->steps_max / spec->hidden_count;
    searcher->memories = memory_take(slots, sizeof *searcher->memories);
    *behaviour = (struct behaviour){
        .self = searcher,
        .name = "searcher",
        .source = "searcher",
        .remembers_trials = true,
        .begin_trial = candidate_searcher_begin_trial,
        .act = candidate_searcher_act,
        .close = candidate_searcher_close,
    };
}
