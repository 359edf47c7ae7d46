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

static void keep_nothing(const struct actor *actor, const size_t *kept, size_t count)
{
    (void)actor;
    (void)kept;
    (void)count;
}

static void act_by_chance(const struct actor *actor, struct actor_row *rows, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        for (size_t j = 0; j < actor->action_dim; j++) {
            rows[i].action[j] = (float)random_between(&rows[i].random, -1.0, 1.0);
        }
    }
}

struct actor actor_of_chance(size_t action_dim)
{
    return (struct actor){
        .action_dim = action_dim,
        .begin = begin_nothing,
        .begin_trial = begin_no_trial,
        .act = act_by_chance,
        .keep = keep_nothing,
    };
}

static void draw_script(const struct actor *actor, struct actor_row *row)
{
    (void)actor;
    env_script_draw(row->env, 1.0, &row->random);
}

static void act_by_script(const struct actor *actor, struct actor_row *rows, size_t count)
{
    (void)actor;
    for (size_t i = 0; i < count; i++) {
        env_script_act(rows[i].env, rows[i].action);
    }
}

struct actor actor_of_script(size_t action_dim)
{
    return (struct actor){
        .action_dim = action_dim,
        .begin = begin_nothing,
        .begin_trial = draw_script,
        .act = act_by_script,
        .keep = keep_nothing,
    };
}
