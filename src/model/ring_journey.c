#include "model/ring_journey.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/fatal.h"
#include "math/accumulate.h"
#include "math/bfloat16.h"

/* --- Places ----------------------------------------------------------------------------------- */

static size_t place_after(const struct ring_journey *journey, size_t place, size_t hops)
{
    return (place + hops) % ring_size(journey->ring);
}

size_t ring_journey_home(const struct ring_journey *journey, size_t hop)
{
    size_t places = ring_size(journey->ring);
    return place_after(journey, ring_rank(journey->ring), places - hop % places);
}

static size_t next_place(const struct ring_journey *journey)
{
    return place_after(journey, ring_rank(journey->ring), 1);
}

static size_t previous_place(const struct ring_journey *journey)
{
    return ring_journey_home(journey, 1);
}

static bool is_met(const struct ring_journey *journey, size_t hop)
{
    return hop % ring_size(journey->ring) <= journey->last_hop[ring_journey_home(journey, hop)];
}

/* Does the shard lie in this rank's reach? */
static bool is_near(const struct ring_journey *journey, size_t home)
{
    return ring_shares_memory(journey->ring, home, ring_rank(journey->ring));
}

/* --- Memory ----------------------------------------------------------------------------------- */

/* Room of `count` packed numbers, as a message of reals. */
static size_t packed_reals(size_t count)
{
    return divide_up(count * sizeof(uint16_t), sizeof(real));
}

void ring_journey_bind(struct ring_journey *journey, struct arena *arena, struct ring *ring,
                       size_t reals_max, enum ring_wire wire)
{
    size_t places = ring_size(ring);
    bool all_near = ring_shares_memory(ring, 0, places - 1);
    size_t travelling = all_near ? 0 : reals_max;
    size_t packed = wire == RING_WIRE_BF16 ? packed_reals(travelling) : 0;
    *journey = (struct ring_journey){.ring = ring, .wire = wire, .reals_max = reals_max};
    journey->last_hop = arena_take(arena, places, sizeof(size_t));
    journey->reals = arena_take(arena, places, sizeof(size_t));
    for (size_t i = 0; i < 2; i++) {
        journey->visiting[i] = arena_take(arena, travelling, sizeof(real));
        journey->packed[i] = arena_take(arena, packed, sizeof(real));
        journey->outgoing[i] = arena_take(arena, travelling, sizeof(real));
    }
    journey->incoming = arena_take(arena, travelling, sizeof(real));
    journey->homecoming = arena_take(arena, travelling, sizeof(real));
    arena_count_elsewhere(arena, 2 * reals_max, sizeof(real));
    if (journey->last_hop) {
        journey->window = window_open(ring, 2 * reals_max);
    }
}

void ring_journey_close(struct ring_journey *journey)
{
    window_close(journey->window);
}

void ring_journey_plan(struct ring_journey *journey, const struct batch *batch,
                       size_t reals_per_row)
{
    size_t places = ring_size(journey->ring);
    for (size_t home = 0; home < places; home++) {
        size_t hop = places - 1;
        while (hop > 0 &&
               !partition_needs(&batch->partition, place_after(journey, home, hop), home)) {
            hop--;
        }
        journey->last_hop[home] = hop;
        journey->reals[home] = batch->partition.shards[home].row_count * reals_per_row;
        invariant(journey->reals[home] <= journey->reals_max);
    }
    journey->message_wait = journey->rank_wait = 0.0;
}

real *ring_journey_own(const struct ring_journey *journey)
{
    return journey->window ? window_at(journey->window, ring_rank(journey->ring)) : NULL;
}

static real *gradient_at(const struct ring_journey *journey, size_t place)
{
    return window_at(journey->window, place) + journey->reals_max;
}

real *ring_journey_own_gradient(const struct ring_journey *journey)
{
    return journey->window ? gradient_at(journey, ring_rank(journey->ring)) : NULL;
}

/* --- Progress: a rank's number says how many hops of which journey it has behind it ----------- */

static uint64_t progress_after(const struct ring_journey *journey, size_t hops)
{
    size_t hops_max = ring_size(journey->ring) + 1;
    return journey->calls * (hops_max + 1) + hops;
}

static void wait_until(struct ring_journey *journey, size_t place, size_t hops)
{
    journey->rank_wait += window_await(journey->window, place, progress_after(journey, hops));
}

/* The last hop that takes this rank's shard out of its neighbourhood; 0: none does. */
static size_t last_hop_away(const struct ring_journey *journey)
{
    size_t place = ring_rank(journey->ring);
    size_t hop = journey->last_hop[place];
    while (hop > 0 && is_near(journey, place_after(journey, place, hop))) {
        hop--;
    }
    return hop;
}

static bool is_backward(const struct ring_journey *journey)
{
    return journey->hops > ring_size(journey->ring);
}

void ring_journey_begin(struct ring_journey *journey, enum ring_direction direction)
{
    size_t place = ring_rank(journey->ring);
    journey->calls++;
    journey->hops = ring_size(journey->ring) + (direction == RING_BACKWARD ? 1 : 0);
    size_t away = is_backward(journey) ? last_hop_away(journey) : 0;
    if (is_backward(journey)) {
        memset(gradient_at(journey, place), 0, journey->reals[place] * sizeof(real));
    }
    if (away > 0) {
        ring_receive(journey->ring, RING_RETURNED_GRADIENTS, place_after(journey, place, away),
                     place, journey->homecoming, journey->reals[place]);
    }
    window_advance(journey->window, progress_after(journey, 0));
}

size_t ring_journey_hops(const struct ring_journey *journey)
{
    return journey->hops;
}

struct query_share ring_journey_share(const struct ring_journey *journey, size_t hop)
{
    size_t places = ring_size(journey->ring);
    bool is_half = is_backward(journey) && hop % places == 0;
    return is_half ? (struct query_share){hop / places, 2} : (struct query_share){0, 1};
}

/* What this rank owns is its own again when no neighbour is busy with it any more. */
void ring_journey_end(struct ring_journey *journey)
{
    size_t place = ring_rank(journey->ring);
    for (size_t hop = 1; hop <= journey->last_hop[place]; hop++) {
        size_t visited = place_after(journey, place, hop);
        if (is_near(journey, visited)) {
            wait_until(journey, visited, hop + 1);
        }
    }
    if (is_backward(journey)) {
        journey->message_wait += ring_wait(journey->ring, RING_GRADIENTS);
        journey->message_wait += ring_wait(journey->ring, RING_RETURNED_GRADIENTS);
        if (last_hop_away(journey) > 0) {
            accumulate(gradient_at(journey, place), journey->homecoming, journey->reals[place]);
        }
    }
}

/* --- Keys and values -------------------------------------------------------------------------- */

enum { LEAVING, COMING };

static void send_on(struct ring_journey *journey, size_t home, const real *shard)
{
    size_t count = journey->reals[home];
    if (journey->wire == RING_WIRE_BF16) {
        bfloat16_pack(journey->packed[LEAVING], shard, count);
        shard = journey->packed[LEAVING];
        count = packed_reals(count);
    }
    ring_send(journey->ring, RING_KEYS_VALUES, next_place(journey), home, shard, count);
}

static void expect(struct ring_journey *journey, size_t home, size_t hop)
{
    size_t count = journey->reals[home];
    real *shard = journey->visiting[hop % 2];
    if (journey->wire == RING_WIRE_BF16) {
        shard = journey->packed[COMING];
        count = packed_reals(count);
    }
    ring_receive(journey->ring, RING_KEYS_VALUES, previous_place(journey), home, shard, count);
}

/* Does a hop meet a shard that comes by a message? */
static bool is_expected(const struct ring_journey *journey, size_t hop)
{
    return hop < ring_size(journey->ring) && is_met(journey, hop) &&
           !is_near(journey, ring_journey_home(journey, hop));
}

/* While a shard is met, it goes on to the next place unless that reaches it in place, and its
 * follower comes in. */
static void begin_exchange(struct ring_journey *journey, const real *shard, size_t hop)
{
    size_t home = ring_journey_home(journey, hop);
    if (hop < journey->last_hop[home] &&
        !ring_shares_memory(journey->ring, home, next_place(journey))) {
        send_on(journey, home, shard);
    }
    if (is_expected(journey, hop + 1)) {
        expect(journey, ring_journey_home(journey, hop + 1), hop + 1);
    }
}

const real *ring_journey_meet(struct ring_journey *journey, size_t hop)
{
    size_t home = ring_journey_home(journey, hop);
    const real *shard = NULL;
    if (is_met(journey, hop) && is_near(journey, home)) {
        wait_until(journey, home, 0);
        shard = window_at(journey->window, home);
    } else if (is_met(journey, hop)) {
        shard = journey->visiting[hop % 2];
    }
    begin_exchange(journey, shard, hop);
    return shard;
}

void ring_journey_leave(struct ring_journey *journey, size_t hop)
{
    journey->message_wait += ring_wait(journey->ring, RING_KEYS_VALUES);
    if (journey->wire == RING_WIRE_BF16 && is_expected(journey, hop + 1)) {
        bfloat16_unpack(journey->visiting[(hop + 1) % 2], journey->packed[COMING],
                        journey->reals[ring_journey_home(journey, hop + 1)]);
    }
    window_advance(journey->window, progress_after(journey, hop + 1));
}

/* --- Gradients -------------------------------------------------------------------------------- */

/* In a neighbourhood shares are added in the order of hops: wait for the one before. */
static void wait_for_turn(struct ring_journey *journey, size_t home, size_t hop)
{
    size_t hops = journey->last_hop[home] + 1;
    hop = hop < hops ? hop : hops;
    while (hop-- > 0) {
        size_t before = place_after(journey, home, hop);
        if (is_near(journey, before)) {
            wait_until(journey, before, hop + 1);
            return;
        }
    }
}

static real *outgoing(const struct ring_journey *journey)
{
    return journey->outgoing[journey->gradients_sent % 2];
}

/* Does the gradient of a shard from beyond come from the previous place, or begin here? */
static bool comes_in(const struct ring_journey *journey, size_t home)
{
    return !ring_shares_memory(journey->ring, home, previous_place(journey));
}

real *ring_journey_take_gradient(struct ring_journey *journey, size_t hop)
{
    size_t home = ring_journey_home(journey, hop);
    if (is_near(journey, home)) {
        wait_for_turn(journey, home, hop);
        return gradient_at(journey, home);
    }
    if (comes_in(journey, home)) {
        ring_receive(journey->ring, RING_GRADIENTS, previous_place(journey), home,
                     journey->incoming, journey->reals[home]);
    }
    memset(outgoing(journey), 0, journey->reals[home] * sizeof(real));
    return outgoing(journey);
}

void ring_journey_hand_gradient(struct ring_journey *journey, size_t hop)
{
    size_t home = ring_journey_home(journey, hop);
    real *gradient = outgoing(journey);
    size_t reals = journey->reals[home];
    if (is_near(journey, home)) {
        return;
    }
    if (comes_in(journey, home)) {
        journey->message_wait += ring_wait_receives(journey->ring, RING_GRADIENTS);
        accumulate(gradient, journey->incoming, reals);
    }
    /* The gradient before has had a whole hop to leave; its buffer is written to next. */
    journey->message_wait += ring_wait_sends(journey->ring, RING_GRADIENTS);
    journey->message_wait += ring_wait_sends(journey->ring, RING_RETURNED_GRADIENTS);
    if (hop < journey->last_hop[home] &&
        !ring_shares_memory(journey->ring, home, next_place(journey))) {
        ring_send(journey->ring, RING_GRADIENTS, next_place(journey), home, gradient, reals);
    } else {
        ring_send(journey->ring, RING_RETURNED_GRADIENTS, home, home, gradient, reals);
    }
    journey->gradients_sent++;
}
