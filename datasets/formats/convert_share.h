/* The ranks' work on one store: rounds in which each reads some episodes, all learn where they go,
 * and each writes its own (private to convert*.c).
 *
 * Round by round the episodes are dealt out like cards, so that nobody holds more than a few and
 * the place of each is known before it is written. Collective over the job. */
#ifndef CHAINRING_DATASETS_FORMATS_CONVERT_SHARE_H
#define CHAINRING_DATASETS_FORMATS_CONVERT_SHARE_H

#include "datasets/formats/convert.h"
#include "datasets/formats/convert_episode.h"

/* Convert all episodes of `input` into a new store and count them in the summary, the same on every
 * rank. What is wrong with the first bad episode, or with the disk, is fatal; nothing is then left
 * of the store. */
void convert_share(struct convert_summary *summary, const struct convert_input *input);

#endif
