#include "context/reward_mask.h"

bool reward_mask_shows(struct reward_mask mask, size_t trial)
{
    return mask.shown_trials == 0 || trial < mask.shown_trials;
}

void reward_mask_apply(struct reward_mask mask, const struct steps *steps, size_t row, real target)
{
    if (!reward_mask_shows(mask, steps->trial[row])) {
        steps->reward[row] = steps->done[row] = (real)0.0;
        steps->return_to_go[row] = target;
    }
}

void reward_mask_apply_previous(struct reward_mask mask, const struct steps *steps, size_t row,
                                size_t trial)
{
    if (!reward_mask_shows(mask, trial)) {
        steps->previous_reward[row] = steps->previous_done[row] = (real)0.0;
    }
}
