#include "behaviours/behaviour.h"

bool behaviour_check_continuous(const char *policy, const struct env_spec *spec,
                                struct failure *failure)
{
    return spec->actions.kind == ACTION_CONTINUOUS ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "task %s: found categorical actions, expected continuous ones for the %s "
                       "policy; choose script, searcher, random or checkpoint",
                       spec->task, policy);
}

void behaviour_begin(const struct behaviour *behaviour, size_t count)
{
    if (behaviour->begin) {
        behaviour->begin(behaviour, count);
    }
}

void behaviour_begin_trial(const struct behaviour *behaviour, struct behaviour_row *row)
{
    row->time = 0;
    row->return_so_far = 0.0;
    if (behaviour->begin_trial) {
        behaviour->begin_trial(behaviour, row);
    }
}

void behaviour_record(struct behaviour_row *row, struct env_outcome outcome)
{
    row->previous = (struct behaviour_step){
        .trial = row->trial,
        .time = row->time,
        .return_to_go = behaviour_return_to_go(row),
        .reward = outcome.reward,
    };
    row->return_so_far += (double)outcome.reward;
    row->previous.is_done = outcome.end != ENV_RUNNING && outcome.end != ENV_FAILED &&
                            row->return_so_far >= row->target;
    row->time++;
}

double behaviour_return_to_go(const struct behaviour_row *row)
{
    return row->target - row->return_so_far;
}

void behaviour_close(const struct behaviour *behaviour)
{
    if (behaviour->close) {
        behaviour->close(behaviour);
    }
}
