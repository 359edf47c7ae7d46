#include "eval/actor.h"

static void begin_nothing(const struct actor *actor, size_t count)
{
    (void)actor;
    (void)count;
}

static void begin_no_trial(const struct actor *actor, struct actor_row *row)
{
    (void)actor;
    (void)row;
}

static void select_nothing(const struct actor *actor, const size_t *selected, size_t count)
{
    (void)actor;
    (void)selected;
    (void)count;
}

static void random_actor_act(const struct actor *actor, struct actor_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < actor->action_dim; j++) {
            rows[i].action[j] = (float)random_between(&rows[i].random, -1.0, 1.0);
        }
    }
}

struct actor random_actor(size_t action_dim)
{
    return (struct actor){
        .action_dim = action_dim,
        .begin = begin_nothing,
        .begin_trial = begin_no_trial,
        .act = random_actor_act,
        .select = select_nothing,
    };
}

static void script_actor_begin_trial(const struct actor *actor, struct actor_row *row)
{
    (void)actor;
    env_script_draw(row->env, 1.0, &row->random);
}

static void script_actor_act(const struct actor *actor, struct actor_row *rows, size_t count)
{
    (void)actor;
    for (size_t i = 0; i < count; i++) {
        env_script_act(rows[i].env, rows[i].action);
    }
}

struct actor script_actor(size_t action_dim)
{
    return (struct actor){
        .action_dim = action_dim,
        .begin = begin_nothing,
        .begin_trial = script_actor_begin_trial,
        .act = script_actor_act,
        .select = select_nothing,
    };
}
