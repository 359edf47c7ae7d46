/* Rooms of cells: their rules by hand, their experts against the shortest way, and which of their
 * goals are kept for evaluation. */
#include "tests/support/support.h"

#include <math.h>
#include <string.h>

#include "envs/env.h"
#include "envs/grid.h"

enum { HIDDEN_MAX = 4, PHYSICS_MAX = 3 };

struct room {
    struct env_task *task;
    struct env *env;
    struct random random;
};

static void room_open(struct room *room, const char *name)
{
    struct failure failure = {0};
    room->task = env_task_open(name, &failure);
    fatal_if_failed(&failure);
    room->env = env_open(room->task);
    room->random = random_stream(11, RANDOM_TEST, 0, 0);
}

static void room_close(struct room *room)
{
    env_close(room->env);
    env_task_close(room->task);
}

static void begin(struct room *room, const double *hidden)
{
    env_set_hidden(room->env, hidden);
    env_reset(room->env, &room->random);
}

static struct env_outcome go(const struct room *room, enum grid_move move)
{
    float action[GRID_MOVES] = {0.0f};
    action[move] = 1.0f;
    return env_step(room->env, action);
}

static void expect_cell(const struct room *room, double row, double column)
{
    double physics[PHYSICS_MAX];
    float observation[GRID_CELL];
    env_get_physics(room->env, physics);
    env_observe(room->env, observation);
    assert_true(physics[GRID_ROW] == row && physics[GRID_COLUMN] == column);
    assert_true(observation[GRID_ROW] == (float)(row / 4.0 - 1.0));
    assert_true(observation[GRID_COLUMN] == (float)(column / 4.0 - 1.0));
}

/* --- Rules ------------------------------------------------------------------------------------ */

static void test_actions_are_one_choice_among_five(void **state)
{
    (void)state;
    static const char *const names[] = {"dark_room", "key_to_door"};
    for (size_t i = 0; i < 2; i++) {
        struct room room;
        room_open(&room, names[i]);
        const struct env_spec *spec = env_task_spec(room.task);
        struct action_space wanted = action_space_categorical((const size_t[]){GRID_MOVES}, 1);
        assert_true(action_space_equal(&spec->actions, &wanted));
        assert_string_equal(spec->simulator, "rules");
        assert_true(spec->reward_max == 1.0);
        assert_true(spec->return_max == (i == 0 ? 20.0 : 2.0));
        room_close(&room);
    }
}

static void test_observations_tell_their_cells(void **state)
{
    (void)state;
    struct room room;
    room_open(&room, "dark_room");
    for (int number = 0; number < GRID_CELLS; number++) {
        const struct env_cell cell = {number / GRID_SIDE, number % GRID_SIDE};
        float observation[GRID_CELL];
        env_set_physics(room.env, (const double[]){cell.row, cell.column});
        env_observe(room.env, observation);
        struct env_cell found = env_grid_cell(env_task_spec(room.task)->grid, observation);
        assert_int_equal(found.row, cell.row);
        assert_int_equal(found.column, cell.column);
    }
    room_close(&room);
}

static void test_moves_go_one_cell_and_walls_stop_them(void **state)
{
    (void)state;
    static const struct {
        enum grid_move move;
        double row, column; /* of one step, and how far it goes in the end */
        double last_row, last_column;
    } wanted[] = {{GRID_STAY, 4, 4, 4, 4},
                  {GRID_UP, 3, 4, 0, 4},
                  {GRID_DOWN, 5, 4, 8, 4},
                  {GRID_LEFT, 4, 3, 4, 0},
                  {GRID_RIGHT, 4, 5, 4, 8}};
    struct room room;
    room_open(&room, "dark_room");
    for (size_t i = 0; i < sizeof wanted / sizeof wanted[0]; i++) {
        begin(&room, (const double[]){2.0, 2.0});
        expect_cell(&room, 4.0, 4.0);
        (void)go(&room, wanted[i].move);
        expect_cell(&room, wanted[i].row, wanted[i].column);
        for (size_t t = 0; t < 6; t++) {
            (void)go(&room, wanted[i].move);
        }
        expect_cell(&room, wanted[i].last_row, wanted[i].last_column);
    }
    room_close(&room);
}

static void test_a_dark_room_pays_each_step_that_ends_on_the_goal(void **state)
{
    (void)state;
    static const struct {
        enum grid_move move;
        float reward;
    } path[] = {{GRID_STAY, 0.0f}, {GRID_RIGHT, 1.0f}, {GRID_STAY, 1.0f},
                {GRID_UP, 0.0f},   {GRID_DOWN, 1.0f},  {GRID_LEFT, 0.0f}};
    struct room room;
    room_open(&room, "dark_room");
    begin(&room, (const double[]){4.0, 5.0});
    for (size_t t = 0; t < 20; t++) {
        bool is_named = t < sizeof path / sizeof path[0];
        struct env_outcome outcome = go(&room, is_named ? path[t].move : GRID_STAY);
        assert_true(outcome.reward == (is_named ? path[t].reward : 0.0f));
        assert_int_equal(outcome.end, t == 19 ? ENV_TRUNCATED : ENV_RUNNING);
    }
    room_close(&room);
}

static void expect_step(const struct room *room, enum grid_move move, float reward,
                        enum env_end end, double stage)
{
    double physics[PHYSICS_MAX];
    struct env_outcome outcome = go(room, move);
    env_get_physics(room->env, physics);
    assert_true(outcome.reward == reward);
    assert_int_equal(outcome.end, end);
    assert_true(physics[2] == stage);
}

static void test_a_door_opens_to_the_key_and_a_step_later_the_episode_ends(void **state)
{
    (void)state;
    struct room room;
    room_open(&room, "key_to_door");
    begin(&room, (const double[]){4.0, 6.0, 4.0, 5.0});
    expect_step(&room, GRID_RIGHT, 0.0f, ENV_RUNNING, 0.0); /* the door, without the key */
    expect_step(&room, GRID_RIGHT, 1.0f, ENV_RUNNING, 1.0);
    expect_step(&room, GRID_STAY, 0.0f, ENV_RUNNING, 2.0); /* it is found once */
    expect_step(&room, GRID_RIGHT, 0.0f, ENV_RUNNING, 2.0);
    expect_step(&room, GRID_LEFT, 0.0f, ENV_RUNNING, 2.0);
    expect_step(&room, GRID_LEFT, 1.0f, ENV_RUNNING, 3.0);
    expect_step(&room, GRID_STAY, 0.0f, ENV_TERMINATED, 4.0); /* and so is the door */
    begin(&room, (const double[]){4.0, 4.0, 4.0, 5.0});       /* the key lies where one starts */
    expect_step(&room, GRID_STAY, 1.0f, ENV_RUNNING, 1.0);
    expect_step(&room, GRID_RIGHT, 1.0f, ENV_RUNNING, 3.0);
    expect_step(&room, GRID_LEFT, 0.0f, ENV_TERMINATED, 4.0); /* wherever it goes */
    begin(&room, (const double[]){0.0, 0.0, 8.0, 8.0});
    for (size_t t = 0; t < 50; t++) {
        expect_step(&room, GRID_DOWN, 0.0f, t == 49 ? ENV_TRUNCATED : ENV_RUNNING, 0.0);
    }
    room_close(&room);
}

/* --- Records ---------------------------------------------------------------------------------- */

static void test_a_state_that_is_set_again_goes_on_as_before(void **state)
{
    (void)state;
    static const enum grid_move path[] = {GRID_RIGHT, GRID_UP,   GRID_STAY,
                                          GRID_DOWN,  GRID_DOWN, GRID_UP};
    static const double hidden[] = {3.0, 5.0, 5.0, 5.0};
    enum { STEPS = sizeof path / sizeof path[0] };
    double physics[STEPS + 1][PHYSICS_MAX], found[PHYSICS_MAX];
    struct env_outcome outcomes[STEPS];
    struct room room;
    room_open(&room, "key_to_door");
    begin(&room, hidden);
    env_get_physics(room.env, physics[0]);
    for (size_t t = 0; t < STEPS; t++) {
        outcomes[t] = go(&room, path[t]);
        env_get_physics(room.env, physics[t + 1]);
    }
    assert_int_equal(outcomes[STEPS - 1].end, ENV_TERMINATED);
    for (size_t t = STEPS; t-- > 0;) {
        env_set_physics(room.env, physics[t]);
        struct env_outcome again = go(&room, path[t]);
        env_get_physics(room.env, found);
        assert_true(again.reward == outcomes[t].reward && again.end == outcomes[t].end);
        assert_memory_equal(found, physics[t + 1], sizeof found);
        assert_true(env_relabel(room.env, physics[t + 1], NULL) == outcomes[t].reward);
    }
    room_close(&room);
}

/* --- Experts ---------------------------------------------------------------------------------- */

static double play_script(struct room *room, double expertise, size_t *steps)
{
    float action[GRID_MOVES];
    struct env_outcome outcome = {.end = ENV_RUNNING};
    double sum = 0.0;
    env_script_draw(room->env, expertise, &room->random);
    for (*steps = 0; outcome.end == ENV_RUNNING; ++*steps) {
        env_script_act(room->env, action);
        outcome = env_step(room->env, action);
        sum += (double)outcome.reward;
    }
    return sum;
}

static double distance(const double *from, const double *to)
{
    return fabs(from[GRID_ROW] - to[GRID_ROW]) + fabs(from[GRID_COLUMN] - to[GRID_COLUMN]);
}

static void cell_of(double *cell, size_t number)
{
    cell[GRID_ROW] = (double)(number / GRID_SIDE);
    cell[GRID_COLUMN] = (double)(number % GRID_SIDE);
}

static const double centre[GRID_CELL] = {4.0, 4.0};

/* The first reward comes with the step that arrives, or with the first one. */
static void test_an_expert_of_the_dark_room_walks_the_shortest_way_to_every_goal(void **state)
{
    (void)state;
    struct room room;
    double goal[GRID_CELL], sum = 0.0;
    size_t steps;
    room_open(&room, "dark_room");
    for (size_t number = 0; number < GRID_CELLS; number++) {
        cell_of(goal, number);
        begin(&room, goal);
        double found = play_script(&room, 1.0, &steps);
        assert_true(found == 21.0 - fmax(distance(centre, goal), 1.0));
        sum += found;
    }
    support_expect_near(sum / GRID_CELLS, 21.0 - 40.0 / 9.0 - 1.0 / 81.0, 1e-12);
    room_close(&room);
}

static void test_an_expert_of_the_key_needs_as_many_steps_as_its_way_is_long(void **state)
{
    (void)state;
    struct room room;
    double hidden[HIDDEN_MAX];
    room_open(&room, "key_to_door");
    for (size_t pair = 0; pair < GRID_CELLS * GRID_CELLS; pair++) {
        size_t steps;
        cell_of(hidden, pair / GRID_CELLS);
        cell_of(hidden + GRID_CELL, pair % GRID_CELLS);
        if (pair / GRID_CELLS == pair % GRID_CELLS) {
            continue;
        }
        begin(&room, hidden);
        assert_true(play_script(&room, 1.0, &steps) == 2.0);
        double way = fmax(distance(centre, hidden), 1.0) + distance(hidden, hidden + GRID_CELL);
        assert_int_equal(steps, (size_t)way + 1);
    }
    room_close(&room);
}

/* How often the script ends on the goal is how often it knows it or guesses it. */
static void test_expertise_is_the_probability_of_knowing(void **state)
{
    (void)state;
    enum { EPISODES = 4000 };
    static const double expertise[] = {0.0, 0.5, 1.0};
    const double corner[GRID_CELL] = {8.0, 0.0};
    struct room room;
    room_open(&room, "dark_room");
    for (size_t i = 0; i < 3; i++) {
        double arrived = 0.0, physics[PHYSICS_MAX];
        for (size_t episode = 0; episode < EPISODES; episode++) {
            size_t steps;
            begin(&room, corner);
            (void)play_script(&room, expertise[i], &steps);
            env_get_physics(room.env, physics);
            arrived += grid_is_at(physics, corner);
        }
        double wanted = expertise[i] + (1.0 - expertise[i]) / GRID_CELLS;
        support_expect_near(arrived / EPISODES, wanted, 0.03);
    }
    room_close(&room);
}

/* --- Goals for training and goals for evaluation ---------------------------------------------- */

/* The number of a hidden task, below 81^cells. */
static size_t number_of(const double *hidden, size_t cells)
{
    size_t number = 0;
    for (size_t i = 0; i < cells; i++) {
        const double *cell = hidden + i * GRID_CELL;
        number =
            GRID_CELLS * number + GRID_SIDE * (size_t)cell[GRID_ROW] + (size_t)cell[GRID_COLUMN];
    }
    return number;
}

/* Mark what is drawn; returns how many different ones. */
static size_t draw_many(bool *seen, struct room *room, enum env_split split, size_t cells,
                        size_t draws)
{
    size_t count = 0;
    for (size_t i = 0; i < draws; i++) {
        double hidden[HIDDEN_MAX];
        env_draw_hidden(room->env, split, &room->random);
        env_get_hidden(room->env, hidden);
        size_t number = number_of(hidden, cells);
        count += !seen[number];
        seen[number] = true;
    }
    return count;
}

static void expect_split(const char *name, size_t cells, size_t all, size_t held_out)
{
    static bool seen[2][GRID_CELLS * GRID_CELLS];
    struct room room;
    memset(seen, 0, sizeof seen);
    room_open(&room, name);
    size_t trained = draw_many(seen[0], &room, ENV_SPLIT_TRAINING, cells, 20 * all);
    size_t kept = draw_many(seen[1], &room, ENV_SPLIT_HELD_OUT, cells, 20 * all);
    for (size_t i = 0; i < GRID_CELLS * GRID_CELLS; i++) {
        assert_false(seen[0][i] && seen[1][i]);
    }
    assert_int_equal(trained + kept, all);
    assert_int_equal(kept, held_out);
    support_expect_near((double)kept / (double)all, 0.2, 0.01);
    room_close(&room);
}

static void test_no_goal_is_in_both_parts_and_a_fifth_is_held_out(void **state)
{
    (void)state;
    expect_split("dark_room", 1, GRID_CELLS, 16);
    expect_split("key_to_door", 2, GRID_CELLS * (GRID_CELLS - 1), 1327);
}

static void test_goals_of_a_part_are_equally_likely(void **state)
{
    (void)state;
    enum { DRAWS = 65000 };
    size_t counts[GRID_CELLS] = {0};
    struct room room;
    room_open(&room, "dark_room");
    for (size_t i = 0; i < DRAWS; i++) {
        double hidden[HIDDEN_MAX];
        env_draw_hidden(room.env, ENV_SPLIT_TRAINING, &room.random);
        env_get_hidden(room.env, hidden);
        counts[number_of(hidden, 1)]++;
    }
    for (size_t i = 0; i < GRID_CELLS; i++) {
        assert_true(counts[i] == 0 || (counts[i] > 840 && counts[i] < 1160)); /* 5 deviations */
    }
    room_close(&room);
}

static void test_a_continuum_is_whole_in_both_parts(void **state)
{
    (void)state;
    double hidden[2][HIDDEN_MAX];
    struct room room;
    room_open(&room, "point_mass_hidden");
    for (int split = ENV_SPLIT_TRAINING; split <= ENV_SPLIT_HELD_OUT; split++) {
        struct random random = random_stream(11, RANDOM_TEST, 1, 0);
        env_draw_hidden(room.env, (enum env_split)split, &random);
        env_get_hidden(room.env, hidden[split]);
    }
    assert_memory_equal(hidden[0], hidden[1], 2 * sizeof(double));
    room_close(&room);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_actions_are_one_choice_among_five),
        cmocka_unit_test(test_observations_tell_their_cells),
        cmocka_unit_test(test_moves_go_one_cell_and_walls_stop_them),
        cmocka_unit_test(test_a_dark_room_pays_each_step_that_ends_on_the_goal),
        cmocka_unit_test(test_a_door_opens_to_the_key_and_a_step_later_the_episode_ends),
        cmocka_unit_test(test_a_state_that_is_set_again_goes_on_as_before),
        cmocka_unit_test(test_an_expert_of_the_dark_room_walks_the_shortest_way_to_every_goal),
        cmocka_unit_test(test_an_expert_of_the_key_needs_as_many_steps_as_its_way_is_long),
        cmocka_unit_test(test_expertise_is_the_probability_of_knowing),
        cmocka_unit_test(test_no_goal_is_in_both_parts_and_a_fifth_is_held_out),
        cmocka_unit_test(test_goals_of_a_part_are_equally_likely),
        cmocka_unit_test(test_a_continuum_is_whole_in_both_parts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
