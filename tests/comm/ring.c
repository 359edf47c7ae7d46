#include "comm/ring.h"
#include "comm/progress.h"

#include "tests/support/support.h"

#include "base/memory.h"
#include "comm/comm.h"
#include "comm/ring_bandwidth.h"
#include "tests/support/support_mpi.h"

enum { LARGE = 1500000, SMALL = 5 };

/* A value that tells sender, channel, tag and position apart; exact in float. */
static real mark(size_t place, size_t channel, size_t tag, size_t i)
{
    return (real)(((place * RING_CHANNELS + channel) * 16 + tag % 16) * 4096 + i % 4096);
}

static void write_marks(real *data, size_t count, size_t place, size_t channel, size_t tag)
{
    for (size_t i = 0; i < count; i++) {
        data[i] = mark(place, channel, tag, i);
    }
}

static void expect_marks(const real *data, size_t count, size_t place, size_t channel, size_t tag)
{
    size_t wrong = 0;
    for (size_t i = 0; i < count; i++) {
        wrong += data[i] != mark(place, channel, tag, i);
    }
    assert_int_equal(wrong, 0);
}

static size_t next_of(const struct ring *ring)
{
    return (ring_rank(ring) + 1) % ring_size(ring);
}

static size_t previous_of(const struct ring *ring)
{
    return (ring_rank(ring) + ring_size(ring) - 1) % ring_size(ring);
}

static void wait_for_all(struct ring *ring)
{
    for (enum ring_channel channel = 0; channel < RING_CHANNELS; channel++) {
        assert_true(ring_wait(ring, channel) >= 0.0);
    }
}

/* --- The mesh --------------------------------------------------------------------------------- */

static void test_mesh_is_groups_of_neighbouring_ranks(void **state)
{
    (void)state;
    for (size_t size = 1; size <= comm_size(); size++) {
        if (comm_size() % size != 0) {
            continue;
        }
        struct ring *ring = ring_open(size, 0);
        assert_int_equal(ring_size(ring), size);
        assert_int_equal(ring_group_count(ring), comm_size() / size);
        assert_true(ring_rank(ring) < size);
        assert_int_equal(ring_group(ring) * size + ring_rank(ring), comm_rank());
        ring_close(ring);
    }
}

static void test_node_groups_are_runs_of_ring_ranks(void **state)
{
    (void)state;
    for (size_t most = 0; most <= comm_size(); most++) {
        struct ring *ring = ring_open(comm_size(), most);
        for (size_t i = 0; i < ring_size(ring); i++) {
            for (size_t j = 0; j < ring_size(ring); j++) {
                assert_int_equal(ring_shares_memory(ring, i, j), most == 0 || i / most == j / most);
            }
        }
        ring_close(ring);
    }
}

static void test_ring_sum_stays_in_its_group(void **state)
{
    (void)state;
    for (size_t size = 1; size <= comm_size(); size++) {
        if (comm_size() % size != 0) {
            continue;
        }
        struct ring *ring = ring_open(size, 0);
        size_t first = ring_group(ring) * size;
        size_t wanted = 0;
        for (size_t rank = first; rank < first + size; rank++) {
            wanted += rank;
        }
        real values[2] = {(real)comm_rank(), 1};
        ring_sum_real(ring, values, 2);
        assert_true(values[0] == (real)wanted);
        assert_true(values[1] == (real)size);
        ring_close(ring);
    }
}

static void test_groups_do_not_hear_each_other(void **state)
{
    (void)state;
    size_t size = comm_size() % 2 == 0 ? 2 : comm_size();
    struct ring *ring = ring_open(size, 0);
    real sent[SMALL];
    real received[SMALL];
    write_marks(sent, SMALL, comm_rank(), 0, 0);
    if (size > 1) {
        ring_receive(ring, RING_KEYS_VALUES, previous_of(ring), 0, received, SMALL * sizeof(real));
        ring_send(ring, RING_KEYS_VALUES, next_of(ring), 0, sent, SMALL * sizeof(real));
        ring_wait(ring, RING_KEYS_VALUES);
        size_t neighbour = ring_group(ring) * size + previous_of(ring);
        expect_marks(received, SMALL, neighbour, 0, 0);
    }
    ring_close(ring);
}

/* --- Messages --------------------------------------------------------------------------------- */

static void test_shift_on_all_channels_at_once(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    real *sent = memory_take((size_t)RING_CHANNELS * LARGE, sizeof *sent);
    real *received = memory_take((size_t)RING_CHANNELS * LARGE, sizeof *received);
    for (size_t channel = 0; ring_size(ring) > 1 && channel < RING_CHANNELS; channel++) {
        real *data = sent + channel * LARGE;
        write_marks(data, LARGE, ring_rank(ring), channel, 0);
        ring_send(ring, (enum ring_channel)channel, next_of(ring), 0, data, LARGE * sizeof(real));
    }
    for (size_t channel = RING_CHANNELS; ring_size(ring) > 1 && channel-- > 0;) {
        real *data = received + channel * LARGE;
        ring_receive(ring, (enum ring_channel)channel, previous_of(ring), 0, data,
                     LARGE * sizeof(real));
    }
    for (int i = 0; i < 100; i++) {
        comm_progress();
    }
    wait_for_all(ring);
    for (size_t channel = 0; ring_size(ring) > 1 && channel < RING_CHANNELS; channel++) {
        expect_marks(received + channel * LARGE, LARGE, previous_of(ring), channel, 0);
    }
    memory_free(received);
    memory_free(sent);
    ring_close(ring);
}

static void test_tags_find_their_receives_in_any_order(void **state)
{
    (void)state;
    static const size_t tags[] = {7, 0, (1u << 20) - 1, 3};
    enum { TAGS = sizeof tags / sizeof tags[0] };
    struct ring *ring = ring_open(comm_size(), 0);
    static real sent[TAGS][SMALL];
    static real received[TAGS][SMALL];
    for (size_t i = 0; ring_size(ring) > 1 && i < TAGS; i++) {
        write_marks(sent[i], SMALL, ring_rank(ring), RING_GRADIENTS, tags[i]);
        ring_send(ring, RING_GRADIENTS, next_of(ring), tags[i], sent[i], SMALL * sizeof(real));
    }
    for (size_t i = TAGS; ring_size(ring) > 1 && i-- > 0;) {
        ring_receive(ring, RING_GRADIENTS, previous_of(ring), tags[i], received[i],
                     SMALL * sizeof(real));
    }
    ring_wait(ring, RING_GRADIENTS);
    for (size_t i = 0; ring_size(ring) > 1 && i < TAGS; i++) {
        expect_marks(received[i], SMALL, previous_of(ring), RING_GRADIENTS, tags[i]);
    }
    ring_close(ring);
}

static void test_every_place_reaches_every_other(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    size_t own = ring_rank(ring);
    real *sent = memory_take(ring_size(ring) * SMALL, sizeof *sent);
    real *received = memory_take(ring_size(ring) * SMALL, sizeof *received);
    for (size_t place = 0; place < ring_size(ring); place++) {
        if (place == own) {
            continue;
        }
        write_marks(sent + place * SMALL, SMALL, own, RING_RETURNED_GRADIENTS, place);
        ring_receive(ring, RING_RETURNED_GRADIENTS, place, own, received + place * SMALL,
                     SMALL * sizeof(real));
        ring_send(ring, RING_RETURNED_GRADIENTS, place, place, sent + place * SMALL,
                  SMALL * sizeof(real));
    }
    ring_wait(ring, RING_RETURNED_GRADIENTS);
    for (size_t place = 0; place < ring_size(ring); place++) {
        if (place != own) {
            expect_marks(received + place * SMALL, SMALL, place, RING_RETURNED_GRADIENTS, own);
        }
    }
    memory_free(received);
    memory_free(sent);
    ring_close(ring);
}

static void test_empty_message_sends_nothing(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    real sent[SMALL];
    real received[SMALL];
    if (ring_size(ring) > 1) {
        write_marks(sent, SMALL, ring_rank(ring), 0, 0);
        /* An empty message would take the receive of the full one: they share a tag. */
        ring_send(ring, RING_KEYS_VALUES, next_of(ring), 0, sent, 0);
        ring_send(ring, RING_KEYS_VALUES, next_of(ring), 0, sent, SMALL * sizeof(real));
        ring_receive(ring, RING_KEYS_VALUES, previous_of(ring), 0, received, SMALL * sizeof(real));
        ring_receive(ring, RING_KEYS_VALUES, previous_of(ring), 0, received, 0);
        ring_wait(ring, RING_KEYS_VALUES);
        expect_marks(received, SMALL, previous_of(ring), 0, 0);
    }
    assert_true(ring_wait(ring, RING_KEYS_VALUES) == 0.0);
    ring_close(ring);
}

static void test_wait_accepts_what_progress_has_completed(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    real sent[SMALL];
    real received[SMALL];
    for (size_t round = 0; ring_size(ring) > 1 && round < 50; round++) {
        write_marks(sent, SMALL, ring_rank(ring), 0, round);
        ring_receive(ring, RING_KEYS_VALUES, previous_of(ring), round, received,
                     SMALL * sizeof(real));
        ring_send(ring, RING_KEYS_VALUES, next_of(ring), round, sent, SMALL * sizeof(real));
        comm_barrier();
        for (int i = 0; i < 20; i++) {
            comm_progress();
        }
        assert_true(ring_wait_receives(ring, RING_KEYS_VALUES) >= 0.0);
        expect_marks(received, SMALL, previous_of(ring), 0, round);
        assert_true(ring_wait_sends(ring, RING_KEYS_VALUES) >= 0.0);
    }
    ring_close(ring);
}

/* --- Misuse ----------------------------------------------------------------------------------- */

static void send_to_itself(void *argument)
{
    struct ring *ring = argument;
    real value = 0;
    ring_send(ring, RING_KEYS_VALUES, ring_rank(ring), 0, &value, 1 * sizeof(real));
}

static void receive_from_outside(void *argument)
{
    struct ring *ring = argument;
    real value = 0;
    ring_receive(ring, RING_KEYS_VALUES, ring_size(ring), 0, &value, 1 * sizeof(real));
}

static void test_places_must_be_others_of_the_ring(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    support_expect_exit(send_to_itself, ring, EXIT_CODE_BUG, "rank != ring->rank");
    support_expect_exit(receive_from_outside, ring, EXIT_CODE_BUG, "rank < ring->size");
    ring_close(ring);
}

/* What was timed has been there: each of the first two places holds the other's numbers. */
static void test_timed_messages_arrive_and_all_ranks_agree_on_their_time(void **state)
{
    (void)state;
    struct ring *ring = ring_open(comm_size(), 0);
    size_t own = ring_rank(ring);
    real *memory = memory_take(2 * SMALL, sizeof *memory);
    for (int way = RING_ONE_WAY; ring_size(ring) > 1 && way <= RING_BOTH_WAYS; way++) {
        write_marks(memory, 2 * SMALL, own, RING_KEYS_VALUES, (size_t)way);
        double seconds = ring_message_seconds(ring, (enum ring_way)way, memory, SMALL, 3);
        double most = seconds;
        comm_max_double(&most, 1);
        assert_true(seconds > 0.0 && seconds == most);
        if (own < 2) {
            expect_marks(memory + SMALL, SMALL, 1 - own, RING_KEYS_VALUES, (size_t)way);
        }
    }
    memory_free(memory);
    ring_close(ring);
}

int main(int argc, char **argv)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_mesh_is_groups_of_neighbouring_ranks),
        cmocka_unit_test(test_node_groups_are_runs_of_ring_ranks),
        cmocka_unit_test(test_ring_sum_stays_in_its_group),
        cmocka_unit_test(test_groups_do_not_hear_each_other),
        cmocka_unit_test(test_shift_on_all_channels_at_once),
        cmocka_unit_test(test_tags_find_their_receives_in_any_order),
        cmocka_unit_test(test_every_place_reaches_every_other),
        cmocka_unit_test(test_empty_message_sends_nothing),
        cmocka_unit_test(test_wait_accepts_what_progress_has_completed),
        cmocka_unit_test(test_places_must_be_others_of_the_ring),
        cmocka_unit_test(test_timed_messages_arrive_and_all_ranks_agree_on_their_time),
    };
    return support_mpi_run(argc, argv, "ring", tests, sizeof tests / sizeof tests[0]);
}
