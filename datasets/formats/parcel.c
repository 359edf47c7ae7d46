#include "datasets/formats/parcel.h"

#include "base/arithmetic.h"
#include "base/memory.h"

void parcel_open(struct parcel *parcel, const struct store_spec *spec)
{
    *parcel = (struct parcel){.spec = *spec};
}

void parcel_close(struct parcel *parcel)
{
    memory_free(parcel->bytes);
    *parcel = (struct parcel){0};
}

/* Bytes of each array, in the order in which they lie. */
enum { OBSERVATION, ACTION, REWARD, PHYSICS, HIDDEN, ARRAYS };
enum { ARRAY_ALIGNMENT = 64 };

static void measure(size_t bytes[ARRAYS], const struct parcel *parcel)
{
    const struct parcel_note *note = &parcel->note;
    const struct store_spec *spec = &parcel->spec;
    bytes[OBSERVATION] = (note->length + 1) * spec->observation_dim * sizeof(float);
    bytes[ACTION] = note->length * spec->action_dim * sizeof(float);
    bytes[REWARD] = note->variants * spec->task_count * note->length * sizeof(float);
    bytes[PHYSICS] = (note->length + 1) * spec->physics_dim * sizeof(double);
    bytes[HIDDEN] = note->variants * spec->hidden_dim * sizeof(double);
}

void parcel_make_room(struct parcel *parcel)
{
    size_t bytes[ARRAYS];
    measure(bytes, parcel);
    parcel->note.bytes = 0;
    for (size_t i = 0; i < ARRAYS; i++) {
        parcel->note.bytes += round_up(bytes[i], ARRAY_ALIGNMENT);
    }
    parcel->bytes = memory_reserve(parcel->bytes, &parcel->room, parcel->note.bytes);
}

struct parcel_arrays parcel_arrays(const struct parcel *parcel)
{
    size_t bytes[ARRAYS];
    void *places[ARRAYS];
    measure(bytes, parcel);
    unsigned char *at = parcel->bytes;
    for (size_t i = 0; i < ARRAYS; i++) {
        places[i] = bytes[i] > 0 ? at : NULL;
        at += round_up(bytes[i], ARRAY_ALIGNMENT);
    }
    return (struct parcel_arrays){
        .observation = places[OBSERVATION],
        .action = places[ACTION],
        .reward = places[REWARD],
        .physics = places[PHYSICS],
        .hidden = places[HIDDEN],
    };
}

struct store_episode parcel_episode(const struct parcel *parcel, size_t variant)
{
    const struct parcel_note *note = &parcel->note;
    const struct store_spec *spec = &parcel->spec;
    struct parcel_arrays arrays = parcel_arrays(parcel);
    struct store_episode episode = {
        .length = note->length,
        .observation = arrays.observation,
        .action = arrays.action,
        .physics = arrays.physics,
        .hidden = arrays.hidden ? arrays.hidden + variant * spec->hidden_dim : NULL,
        .group = note->variants > 1 ? (int64_t)variant : note->group,
        .end = note->end,
    };
    for (size_t k = 0; k < spec->task_count; k++) {
        episode.reward[k] = arrays.reward + (variant * spec->task_count + k) * note->length;
    }
    return episode;
}
