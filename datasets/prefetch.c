#include "datasets/prefetch.h"

bool prefetch_bind(struct prefetch *prefetch, struct loader *loader, struct arena *arena,
                   enum partition_rule rule, size_t places, size_t place, size_t group,
                   size_t groups, struct failure *failure)
{
    *prefetch = (struct prefetch){.loader = loader, .group = group, .groups = groups};
    return loader_batch_bind(loader, &prefetch->batch, arena, rule, places, place, groups,
                             failure) &&
           loader_plan_bind(loader, &prefetch->plan, arena, rule, places, place, groups, failure);
}

void prefetch_unbind(struct prefetch *prefetch)
{
    batch_close(&prefetch->batch);
    batch_close(&prefetch->plan);
}

const struct batch *prefetch_take(struct prefetch *prefetch, uint64_t step, size_t pass,
                                  struct failure *failure)
{
    struct loader_slice slice = {
        .group = prefetch->group, .groups = prefetch->groups, .pass = pass};
    if (!loader_fill(prefetch->loader, &prefetch->batch, step, slice, failure)) {
        return NULL;
    }
    bool is_last = pass + 1 == loader_pass_count(prefetch->loader, prefetch->groups);
    slice.pass = is_last ? 0 : pass + 1;
    bool is_expected =
        loader_expect(prefetch->loader, &prefetch->plan, is_last ? step + 1 : step, slice, failure);
    return is_expected ? &prefetch->batch : NULL;
}
