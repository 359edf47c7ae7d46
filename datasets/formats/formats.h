/* The formats and writers that format.c lists, each defined in its own file (private to this
 * folder). */
#ifndef CHAINRING_DATASETS_FORMATS_FORMATS_H
#define CHAINRING_DATASETS_FORMATS_FORMATS_H

#include "datasets/formats/format.h"

extern const struct foreign_format foreign_exorl;
extern const struct foreign_format foreign_arrays;
extern const struct foreign_format foreign_csv;
extern const struct foreign_format foreign_d4rl;
extern const struct foreign_format foreign_minari;

extern const struct foreign_writer foreign_exorl_writer;
extern const struct foreign_writer foreign_minari_writer;

/* Name `count` rewards that the input has no names for: "recorded", or "recorded_0", ... . */
void foreign_name_recorded(struct store_spec *spec, size_t count);

#endif
