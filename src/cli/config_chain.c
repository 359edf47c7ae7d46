#include "cli/config_chain.h"

struct chain_sampler config_chain_law(const struct config *config)
{
    return (struct chain_sampler){
        .sampling = (enum chain_sampling)config->chain.sampling,
        .trials_min = config->chain.trials_min,
        .trials = config->chain.trials,
        .draws = config->chain.draws,
    };
}
