/* Are the numbers of a store those that were written? Compares rows with the hashes of the index.
 *
 * A verifier checks what a rank is about to read, each block once: in version 3 of the format
 * blocks of rows, before that whole episodes. Where the file has been written to meanwhile, all
 * blocks count as unchecked again. Local. */
#ifndef CHAINRING_DATASETS_STORE_VERIFY_H
#define CHAINRING_DATASETS_STORE_VERIFY_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"
#include "datasets/episode_buffer.h"
#include "datasets/store.h"

/* Compare one episode's bytes with its hashes. False and EXIT_CODE_DATA where they differ,
 * EXIT_CODE_IO where the file has changed or cannot be read. Thread-safe. */
bool store_verify(const struct store *store, size_t episode, struct failure *failure);

/* The whole episode, compared with its hashes, into the buffer, which `episode` then views.
 * Failures as above. */
bool store_read_episode(struct store_episode *episode, struct episode_buffer *buffer,
                        const struct store *store, size_t number, struct failure *failure);

/* Compare the attributes that training reads with what the arrays say: returns, and mean and
 * deviation of the observations. Reads all observations and rewards; failures as above. */
bool store_verify_attributes(const struct store *store, struct failure *failure);

struct store_verifier;

/* The caller closes it, before the store; with_label: labels are read, too. */
struct store_verifier *store_verifier_open(const struct store *store, bool with_label);
void store_verifier_close(struct store_verifier *verifier);

/* Look whether the file has been written to. Cheap. */
void store_verifier_refresh(struct store_verifier *verifier);

/* Check what a chain reads: the observations, actions and labels of these steps, and the rewards of
 * `task` from the first step to their end. Failures as above. */
bool store_verifier_check(struct store_verifier *verifier, size_t task, size_t episode,
                          size_t first, size_t count, struct failure *failure);

#endif
