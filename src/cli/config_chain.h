/* The part of the configuration that says how chains are drawn, as the data's own struct. */
#ifndef CHAINRING_CLI_CONFIG_CHAIN_H
#define CHAINRING_CLI_CONFIG_CHAIN_H

#include "cli/config.h"
#include "datasets/chain.h"

/* Local. */
struct chain_sampler config_chain_law(const struct config *config);

#endif
