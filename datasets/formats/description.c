#include "datasets/formats/description.h"

#include <math.h>
#include <string.h>

#include "base/file.h"
#include "base/memory.h"

void description_copy_text(char *copy, size_t size, const char *text)
{
    size_t length = strlen(text);
    if (length >= size) {
        length = size - 1;
        while (length > 0 && ((unsigned char)text[length] & 0xc0) == 0x80) {
            length--;
        }
    }
    for (size_t i = 0; i < length; i++) {
        copy[i] = text[i];
        if ((unsigned char)text[i] < ' ' || text[i] == 0x7f) {
            copy[i] = '?';
        }
    }
    copy[length] = '\0';
}

static json_t *numbers_array(const double *numbers, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, json_real(numbers[i]));
    }
    return array;
}

static json_t *keys_array(const struct store_spec *spec)
{
    json_t *array = json_array();
    for (size_t k = 0; k < spec->key_count; k++) {
        const struct store_key *key = &spec->keys[k];
        json_array_append_new(
            array, json_pack("[s, i, I]", key->name, (int)key->kind, (json_int_t)key->dim));
    }
    return array;
}

static json_t *texts_array(const char (*texts)[STORE_NAME_MAX], size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, json_string(texts[i]));
    }
    return array;
}

json_t *description_of(const struct store_spec *spec)
{
    json_t *description = json_pack(
        "{s:s, s:s, s:s, s:o, s:o, s:f, s:I}", "domain", spec->domain, "simulator", spec->simulator,
        "source", spec->source, "tasks", texts_array(spec->tasks, spec->task_count),
        "reward_source", texts_array(spec->reward_source, spec->task_count), "control_timestep",
        spec->control_timestep, "hidden_dim", (json_int_t)spec->hidden_dim);
    if (spec->source_count > 0) {
        json_object_set_new(description, "sources", texts_array(spec->sources, spec->source_count));
    }
    if (spec->has_label) {
        json_object_set_new(description, "action_label", json_true());
    }
    if (spec->key_count > 0) {
        json_object_set_new(description, "observation_keys", keys_array(spec));
    }
    if (spec->actions.kind == ACTION_CONTINUOUS) {
        size_t dim = spec->actions.dim;
        json_object_set_new(description, "action_low", numbers_array(spec->actions.low, dim));
        json_object_set_new(description, "action_high", numbers_array(spec->actions.high, dim));
    }
    invariant(description);
    return description;
}

/* --- Reading ---------------------------------------------------------------------------------- */

static void copy_member(char *copy, size_t size, const json_t *object, const char *key)
{
    const char *text = json_string_value(json_object_get(object, key));
    if (text) {
        description_copy_text(copy, size, text);
    }
}

static void read_tasks(struct store_spec *spec, const json_t *description)
{
    json_t *tasks = json_object_get(description, "tasks");
    json_t *sources = json_object_get(description, "reward_source");
    size_t count = json_array_size(tasks);
    if (count == 0 || count > STORE_TASKS_MAX ||
        (spec->task_count > 0 && count != spec->task_count)) {
        return;
    }
    spec->task_count = count;
    for (size_t k = 0; k < count; k++) {
        const char *task = json_string_value(json_array_get(tasks, k));
        const char *source = json_string_value(json_array_get(sources, k));
        description_copy_text(spec->tasks[k], sizeof spec->tasks[k], task ? task : "");
        description_copy_text(spec->reward_source[k], sizeof spec->reward_source[k],
                              source ? source : "recorded");
    }
}

static void read_sources(struct store_spec *spec, const json_t *sources)
{
    size_t count = json_array_size(sources);
    spec->source_count = count <= STORE_SOURCES_MAX ? count : 0;
    for (size_t k = 0; k < spec->source_count; k++) {
        const char *name = json_string_value(json_array_get(sources, k));
        description_copy_text(spec->sources[k], sizeof spec->sources[k], name ? name : "");
    }
}

static bool read_number_array(double *numbers, size_t count, const json_t *array)
{
    bool ok = json_array_size(array) == count;
    for (size_t i = 0; ok && i < count; i++) {
        numbers[i] = json_number_value(json_array_get(array, i));
        ok = json_is_number(json_array_get(array, i));
    }
    return ok;
}

static void read_bounds(struct store_spec *spec, const json_t *description)
{
    struct action_space space;
    size_t dim = spec->action_dim;
    if (dim == 0 || dim > ACTION_DIM_MAX || spec->actions.dim > 0) {
        return;
    }
    space = action_space_continuous(dim);
    if (read_number_array(space.low, dim, json_object_get(description, "action_low")) &&
        read_number_array(space.high, dim, json_object_get(description, "action_high"))) {
        spec->actions = space;
    }
}

/* Where their numbers are not those of an observation they are of another input. */
static void description_read_keys(struct store_spec *spec, const json_t *keys)
{
    size_t count = json_array_size(keys), sum = 0;
    for (size_t k = 0; k < count && count <= STORE_KEYS_MAX; k++) {
        const char *name;
        int kind;
        json_int_t dim;
        bool ok = json_unpack(json_array_get(keys, k), "[s, i, I]", &name, &kind, &dim) == 0 &&
                  kind >= 0 && kind < STORE_KEY_KINDS && dim >= 0 && dim <= INT32_MAX;
        if (!ok) {
            return;
        }
        spec->keys[k] = (struct store_key){.kind = (enum store_key_kind)kind, .dim = (size_t)dim};
        description_copy_text(spec->keys[k].name, sizeof spec->keys[k].name, name);
        sum += (size_t)dim;
    }
    bool is_possible = count <= STORE_KEYS_MAX && sum == spec->observation_dim;
    spec->key_count = is_possible ? count : 0;
}

void description_read(struct store_spec *spec, const json_t *description)
{
    if (!json_is_object(description)) {
        return;
    }
    copy_member(spec->domain, sizeof spec->domain, description, "domain");
    copy_member(spec->simulator, sizeof spec->simulator, description, "simulator");
    copy_member(spec->source, sizeof spec->source, description, "source");
    read_tasks(spec, description);
    double timestep = json_number_value(json_object_get(description, "control_timestep"));
    spec->control_timestep = isfinite(timestep) && timestep > 0.0 ? timestep : 0.0;
    json_int_t hidden = json_integer_value(json_object_get(description, "hidden_dim"));
    spec->hidden_dim = hidden > 0 && hidden < 1 << 16 ? (size_t)hidden : 0;
    spec->has_label = json_is_true(json_object_get(description, "action_label"));
    read_sources(spec, json_object_get(description, "sources"));
    read_bounds(spec, description);
    description_read_keys(spec, json_object_get(description, "observation_keys"));
}

/* --- Files ------------------------------------------------------------------------------------ */

bool description_write_file(const char *path, const struct store_spec *spec,
                            struct failure *failure)
{
    json_t *description = description_of(spec);
    char *text = json_dumps(description, JSON_INDENT(1));
    invariant(text);
    bool ok = file_write_text(path, text, failure);
    void (*free_text)(void *block);
    json_get_alloc_funcs(NULL, &free_text);
    free_text(text);
    json_decref(description);
    return ok;
}

void description_read_file(struct store_spec *spec, const char *path)
{
    enum { BYTES_MAX = 1 << 20 };
    size_t size;
    struct failure ignored = {0};
    char *text = file_read(path, BYTES_MAX, &size, &ignored);
    json_t *description = text ? json_loadb(text, size, 0, NULL) : NULL;
    description_read(spec, description);
    json_decref(description);
    memory_free(text);
}
