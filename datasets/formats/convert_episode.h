/* One episode of the input becomes a parcel: read, checked, clipped, rewarded anew (private to
 * convert*.c). Local. */
#ifndef CHAINRING_DATASETS_FORMATS_CONVERT_EPISODE_H
#define CHAINRING_DATASETS_FORMATS_CONVERT_EPISODE_H

#include "datasets/formats/convert.h"
#include "datasets/formats/parcel.h"

/* An input that is open, and what it shall become; made and given back by convert.c. */
struct convert_input {
    const struct convert_options *options;
    const struct format_reader *format;
    void *source;
    struct relabel *relabel; /* NULL: rewards as recorded */
};

/* What is wrong with the episode, or that it is partial and not wanted, stands in the note. */
void convert_episode(struct parcel *parcel, const struct convert_input *input, size_t index);

#endif
