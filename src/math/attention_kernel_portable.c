/* The attention kernel of vectors that every processor has. */
#include "math/attention_operands.h"
#include "math/attention_tiles.h"

const struct attention_kernel *attention_kernel_portable(void)
{
    return &kernel;
}
