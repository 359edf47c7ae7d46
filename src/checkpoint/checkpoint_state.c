#include "checkpoint/checkpoint_state.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/json_file.h"

enum { STATE_VERSION = 2, STATE_BYTES_MAX = 64 << 20 };

static const char state_format[] = "chainring-state";

void checkpoint_state_open(struct checkpoint_state *state)
{
    memset(state, 0, sizeof *state);
}

void checkpoint_state_close(struct checkpoint_state *state)
{
    for (size_t i = 0; i < state->numbers_count; i++) {
        memory_free(state->numbers[i].values);
    }
    for (size_t i = 0; i < state->texts_count; i++) {
        memory_free(state->texts[i].text);
    }
    memory_free(state->numbers);
    memory_free(state->texts);
    memset(state, 0, sizeof *state);
}

static const struct checkpoint_numbers *find_state_numbers(const struct checkpoint_state *state,
                                                           const char *name)
{
    for (size_t i = 0; i < state->numbers_count; i++) {
        if (strcmp(state->numbers[i].name, name) == 0) {
            return &state->numbers[i];
        }
    }
    return NULL;
}

static const struct checkpoint_text *find_state_text(const struct checkpoint_state *state,
                                                     const char *name)
{
    for (size_t i = 0; i < state->texts_count; i++) {
        if (strcmp(state->texts[i].name, name) == 0) {
            return &state->texts[i];
        }
    }
    return NULL;
}

void checkpoint_state_put_numbers(struct checkpoint_state *state, const char *name,
                                  const double *values, size_t count)
{
    invariant(strlen(name) < CHECKPOINT_NAME_MAX && !find_state_numbers(state, name));
    size_t index = state->numbers_count++;
    state->numbers =
        memory_grow(state->numbers, index, index + 1, sizeof(struct checkpoint_numbers));
    struct checkpoint_numbers *numbers = &state->numbers[index];
    memcpy(numbers->name, name, strlen(name) + 1);
    numbers->count = count;
    numbers->values = memory_take(count, sizeof(double));
    if (count > 0) {
        memcpy(numbers->values, values, count * sizeof(double));
    }
}

void checkpoint_state_put_text(struct checkpoint_state *state, const char *name, const char *text)
{
    invariant(strlen(name) < CHECKPOINT_NAME_MAX && !find_state_text(state, name));
    size_t index = state->texts_count++;
    state->texts = memory_grow(state->texts, index, index + 1, sizeof(struct checkpoint_text));
    memcpy(state->texts[index].name, name, strlen(name) + 1);
    state->texts[index].text = memory_copy_text(text);
}

bool checkpoint_state_get_numbers(double *values, const struct checkpoint_state *state,
                                  const char *name, size_t count, struct failure *failure)
{
    const struct checkpoint_numbers *numbers = find_state_numbers(state, name);
    size_t found = numbers ? numbers->count : 0;
    if (!numbers || found != count) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s: found %zu numbers \"%s\", expected %zu; the checkpoint was made "
                           "with other settings: use those or a new run name",
                           state->source, found, name, count);
    }
    if (count > 0) {
        memcpy(values, numbers->values, count * sizeof(double));
    }
    return true;
}

size_t checkpoint_state_count_numbers(const struct checkpoint_state *state, const char *name)
{
    const struct checkpoint_numbers *numbers = find_state_numbers(state, name);
    return numbers ? numbers->count : 0;
}

const char *checkpoint_state_get_text(const struct checkpoint_state *state, const char *name,
                                      struct failure *failure)
{
    const struct checkpoint_text *text = find_state_text(state, name);
    if (!text) {
        failure_set(failure, EXIT_CODE_DATA, "%s: found no text \"%s\", expected one",
                    state->source, name);
        return NULL;
    }
    return text->text;
}

/* --- To the file ------------------------------------------------------------------------------ */

static json_t *print_state_number(double value)
{
    if (isnan(value)) {
        return json_string("nan");
    }
    return isinf(value) ? json_string(value > 0.0 ? "inf" : "-inf") : json_real(value);
}

static bool parse_state_number(double *value, const json_t *number)
{
    if (json_is_number(number)) {
        *value = json_number_value(number);
        return true;
    }
    const char *text = json_string_value(number);
    if (!text) {
        return false;
    }
    *value = strcmp(text, "nan") == 0 ? (double)NAN : (double)INFINITY;
    *value = strcmp(text, "-inf") == 0 ? -*value : *value;
    return isnan(*value) || strcmp(text, "inf") == 0 || strcmp(text, "-inf") == 0;
}

static json_t *print_all_numbers(const struct checkpoint_state *state)
{
    json_t *all = json_object();
    for (size_t i = 0; i < state->numbers_count; i++) {
        json_t *values = json_array();
        for (size_t k = 0; k < state->numbers[i].count; k++) {
            json_array_append_new(values, print_state_number(state->numbers[i].values[k]));
        }
        invariant(json_object_set_new(all, state->numbers[i].name, values) == 0);
    }
    return all;
}

/* NULL and a failure for a text that JSON cannot hold. */
static json_t *print_all_texts(const struct checkpoint_state *state, const char *path,
                               struct failure *failure)
{
    json_t *all = json_object();
    for (size_t i = 0; i < state->texts_count; i++) {
        const struct checkpoint_text *text = &state->texts[i];
        if (json_object_set_new(all, text->name, json_string(text->text)) != 0) {
            failure_set(failure, EXIT_CODE_DATA,
                        "%s: found a text \"%s\" that is not UTF-8, expected UTF-8", path,
                        text->name);
            json_decref(all);
            return NULL;
        }
    }
    return all;
}

bool checkpoint_state_write(struct digest *digest, const char *path,
                            const struct checkpoint_state *state, struct failure *failure)
{
    invariant(state->step <= INT64_MAX);
    json_t *texts = print_all_texts(state, path, failure);
    if (!texts) {
        return false;
    }
    char seed[24]; /* as text: JSON's whole numbers end at 2^63 here */
    snprintf(seed, sizeof seed, "%" PRIu64, state->seed);
    json_t *object = json_pack("{s:s, s:i, s:I, s:s, s:o, s:o, s:o}", "format", state_format,
                               "version", STATE_VERSION, "step", (json_int_t)state->step, "seed",
                               seed, "tokens_seen", print_state_number(state->tokens_seen),
                               "numbers", print_all_numbers(state), "texts", texts);
    invariant(object);
    size_t size;
    char *text = json_file_print(&size, object);
    json_decref(object);
    bool is_written = digest_write(digest, path, text, size, failure);
    memory_free(text);
    return is_written;
}

/* --- From the file ---------------------------------------------------------------------------- */

static bool refuse_key(const char *path, const char *key, const char *wanted,
                       struct failure *failure)
{
    char shown[CHECKPOINT_NAME_MAX];
    return failure_set(failure, EXIT_CODE_DATA, "%s: found no \"%s\" that is %s, expected one",
                       path, json_file_printable(shown, sizeof shown, key), wanted);
}

static bool parse_numbers(struct checkpoint_state *state, const char *name, const json_t *array)
{
    size_t count = json_array_size(array);
    double *values = memory_take(count, sizeof(double));
    bool is_good = json_is_array(array) && strlen(name) < CHECKPOINT_NAME_MAX;
    for (size_t i = 0; is_good && i < count; i++) {
        is_good = parse_state_number(&values[i], json_array_get(array, i));
    }
    if (is_good) {
        checkpoint_state_put_numbers(state, name, values, count);
    }
    memory_free(values);
    return is_good;
}

static bool parse_seed(uint64_t *seed, const char *text)
{
    if (!text || text[0] < '0' || text[0] > '9') {
        return false;
    }
    char *end;
    unsigned long long value = strtoull(text, &end, 10);
    *seed = value;
    return *end == '\0';
}

static bool parse_state(struct checkpoint_state *state, const json_t *object,
                        struct failure *failure)
{
    const char *path = state->source;
    if (!json_file_count(&state->step, object, "step", path, failure)) {
        return false;
    }
    if (!parse_seed(&state->seed, json_string_value(json_object_get(object, "seed")))) {
        return refuse_key(path, "seed", "a count in quotes", failure);
    }
    if (!parse_state_number(&state->tokens_seen, json_object_get(object, "tokens_seen"))) {
        return refuse_key(path, "tokens_seen", "a number", failure);
    }
    json_t *all_numbers = json_object_get(object, "numbers");
    json_t *all_texts = json_object_get(object, "texts");
    if (!json_is_object(all_numbers) || !json_is_object(all_texts)) {
        return refuse_key(path, json_is_object(all_numbers) ? "texts" : "numbers", "an object",
                          failure);
    }
    const char *name;
    json_t *value;
    json_object_foreach(all_numbers, name, value)
    {
        if (!parse_numbers(state, name, value)) {
            return refuse_key(path, name, "a list of numbers", failure);
        }
    }
    json_object_foreach(all_texts, name, value)
    {
        if (!json_is_string(value) || strlen(name) >= CHECKPOINT_NAME_MAX) {
            return refuse_key(path, name, "a text", failure);
        }
        checkpoint_state_put_text(state, name, json_string_value(value));
    }
    return true;
}

bool checkpoint_state_read(struct checkpoint_state *state, const char *path,
                           struct failure *failure)
{
    checkpoint_state_open(state);
    json_t *object = json_file_read(path, STATE_BYTES_MAX, failure);
    snprintf(state->source, sizeof state->source, "%s", path);
    bool is_read = object &&
                   json_file_check_format(object, path, state_format, STATE_VERSION, failure) &&
                   parse_state(state, object, failure);
    json_decref(object);
    if (!is_read) {
        checkpoint_state_close(state);
    }
    return is_read;
}
