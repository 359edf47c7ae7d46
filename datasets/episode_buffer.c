#include "datasets/episode_buffer.h"

#include <string.h>

#include "base/arithmetic.h"
#include "base/memory.h"

static const size_t too_large = SIZE_MAX; /* bytes of a layout that no memory can hold */

/* Append an array; returns its offset. */
static size_t layout_append(struct episode_layout *layout, size_t rows, size_t columns,
                            size_t item_bytes, size_t alignment)
{
    size_t offset = layout->bytes;
    size_t bytes;
    bool fits = offset != too_large && !__builtin_mul_overflow(rows, columns, &bytes) &&
                !__builtin_mul_overflow(bytes, item_bytes, &bytes) &&
                bytes <= SIZE_MAX / 2 - offset;
    layout->bytes = fits ? round_up(offset + bytes, alignment) : too_large;
    return offset;
}

bool episode_layout_find(struct episode_layout *layout, const struct store_spec *spec,
                         size_t length, size_t alignment)
{
    size_t states = length + (length < SIZE_MAX);
    *layout = (struct episode_layout){0};
    layout->observation =
        layout_append(layout, states, spec->observation_dim, sizeof(float), alignment);
    layout->action = layout_append(layout, length, spec->action_dim, sizeof(float), alignment);
    layout->label = layout_append(layout, length, spec->has_label ? spec->action_dim : 0,
                                  sizeof(float), alignment);
    for (size_t k = 0; k < spec->task_count; k++) {
        layout->reward[k] = layout_append(layout, length, 1, sizeof(float), alignment);
    }
    layout->physics = layout_append(layout, states, spec->physics_dim, sizeof(double), alignment);
    layout->hidden = layout_append(layout, 1, spec->hidden_dim, sizeof(double), alignment);
    return layout->bytes != too_large;
}

struct store_episode episode_layout_view(const struct episode_layout *layout,
                                         const struct store_spec *spec, size_t length,
                                         const void *block)
{
    const char *bytes = block;
    struct store_episode episode = {
        .length = length,
        .observation = (const void *)(bytes + layout->observation),
        .action = (const void *)(bytes + layout->action),
        .label = spec->has_label ? (const void *)(bytes + layout->label) : NULL,
        .physics = spec->physics_dim > 0 ? (const void *)(bytes + layout->physics) : NULL,
        .hidden = spec->hidden_dim > 0 ? (const void *)(bytes + layout->hidden) : NULL,
    };
    for (size_t k = 0; k < spec->task_count; k++) {
        episode.reward[k] = (const void *)(bytes + layout->reward[k]);
    }
    return episode;
}

void episode_layout_copy(const struct episode_layout *layout, const struct store_spec *spec,
                         const struct store_episode *episode, void *block)
{
    char *bytes = block;
    size_t length = episode->length;
    memcpy(bytes + layout->observation, episode->observation,
           (length + 1) * spec->observation_dim * sizeof(float));
    memcpy(bytes + layout->action, episode->action, length * spec->action_dim * sizeof(float));
    if (spec->has_label) {
        memcpy(bytes + layout->label, episode->label, length * spec->action_dim * sizeof(float));
    }
    for (size_t k = 0; k < spec->task_count; k++) {
        memcpy(bytes + layout->reward[k], episode->reward[k], length * sizeof(float));
    }
    if (spec->physics_dim > 0) {
        memcpy(bytes + layout->physics, episode->physics,
               (length + 1) * spec->physics_dim * sizeof(double));
    }
    if (spec->hidden_dim > 0) {
        memcpy(bytes + layout->hidden, episode->hidden, spec->hidden_dim * sizeof(double));
    }
}

void episode_buffer_reserve(struct episode_buffer *buffer, const struct store_spec *spec,
                            size_t length)
{
    enum { ALIGNMENT = 64 };
    struct episode_layout *layout = &buffer->layout;
    if (!episode_layout_find(layout, spec, length, ALIGNMENT)) {
        fatal(EXIT_CODE_SYSTEM, "cannot hold an episode of %zu steps in memory", length);
    }
    buffer->block = memory_reserve(buffer->block, &buffer->capacity, layout->bytes);
    char *bytes = buffer->block;
    buffer->observation = (void *)(bytes + layout->observation);
    buffer->action = (void *)(bytes + layout->action);
    buffer->label = (void *)(bytes + layout->label);
    buffer->physics = (void *)(bytes + layout->physics);
    buffer->hidden = (void *)(bytes + layout->hidden);
    for (size_t k = 0; k < spec->task_count; k++) {
        buffer->reward[k] = (void *)(bytes + layout->reward[k]);
    }
}

void episode_buffer_free(struct episode_buffer *buffer)
{
    memory_free(buffer->block);
    *buffer = (struct episode_buffer){0};
}

void episode_buffer_repeat_last_state(struct episode_buffer *buffer, const struct store_spec *spec,
                                      size_t length)
{
    float *observation = buffer->observation + length * spec->observation_dim;
    double *physics = buffer->physics + length * spec->physics_dim;
    memcpy(observation, observation - spec->observation_dim,
           spec->observation_dim * sizeof *observation);
    memcpy(physics, physics - spec->physics_dim, spec->physics_dim * sizeof *physics);
}

void episode_buffer_set_rewards(struct episode_buffer *buffer, const struct store_spec *spec,
                                size_t length, const float *rows)
{
    for (size_t k = 0; k < spec->task_count; k++) {
        for (size_t t = 0; t < length; t++) {
            buffer->reward[k][t] = rows[t * spec->task_count + k];
        }
    }
}

struct store_episode episode_buffer_view(const struct episode_buffer *buffer,
                                         const struct store_spec *spec, size_t length)
{
    return episode_layout_view(&buffer->layout, spec, length, buffer->block);
}
