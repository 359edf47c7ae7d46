/* Control steps become tokens: each field of a token through its own linear map, added up, plus
 * learned tables of the step's time in its trial (whose first row marks that a trial begins) and of
 * the trial in its context, then layer normalisation and dropout (arXiv 2106.01345, section 3, with
 * the trial's table as in arXiv 2305.16554). */
#ifndef CHAINRING_OPS_EMBEDDING_H
#define CHAINRING_OPS_EMBEDDING_H

#include <stddef.h>

#include "base/real.h"
#include "context/steps.h"
#include "ops/executor.h"
#include "parameters/weights.h"

/* Some neighbouring tokens of the layout, and the steps that they belong to. */
struct embedding_part {
    const struct steps *steps; /* a row for each of the executor's steps */
    size_t begin, end;         /* of the layout */
};

/* x (tokens x width): each step's tokens are those of the parts, one part after the other. Training
 * has one part, all tokens of the shard's steps; decoding has the end of the step before and the
 * beginning of this one. Local, as is backward. */
void embedding_forward(struct executor *executor, const struct tensor *x,
                       const struct embedding_part *parts, size_t part_count,
                       const struct embedding_weights *w);

/* gradients += , given d_x (tokens x width), for one part of all tokens; what was embedded is
 * computed again. d_x is used up. */
void embedding_backward(struct executor *executor, const struct embedding_weights *gradients,
                        real *d_x, const struct steps *steps, const struct embedding_weights *w);

#endif
