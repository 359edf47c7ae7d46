#include "context/layout.h"

#include <stdio.h>
#include <string.h>

/* A field, and that of the step before. */
static const char *const names[FIELDS][2] = {
    [FIELD_RETURN] = {"R", "-R"}, [FIELD_STATE] = {"s", "-s"}, [FIELD_ACTION] = {"a", "-a"},
    [FIELD_REWARD] = {"r", "-r"}, [FIELD_DONE] = {"d", "-d"},
};

static const char *name_of(const struct token_field *field)
{
    return names[field->field][field->is_previous];
}

/* "found TEXT, where NAME WHY". */
static bool layout_refuse(const char *text, const char *name, const char *why,
                          struct failure *failure)
{
    return failure_set(
        failure, EXIT_CODE_CONFIG,
        "context.tokens: found \"%s\", where %s %s; expected tokens made of R, s, a, "
        "r, d, such as \"R,s,a,r,d\" or \"R+s+-a+-r+-d\"",
        text, name, why);
}

static void add_field(struct token_layout *layout, struct token_field added)
{
    size_t at = layout->field_count++;
    for (; at > 0 && layout->fields[at - 1].token == added.token &&
           layout->fields[at - 1].field > added.field;
         at--) {
        layout->fields[at] = layout->fields[at - 1];
    }
    layout->fields[at] = added;
}

/* False where these letters are no field's name. */
static bool find_field(struct token_field *field, const char *name, size_t length)
{
    for (size_t i = 0; i < 2 * (size_t)FIELDS; i++) {
        field->field = (enum field)(i / 2);
        field->is_previous = i % 2 == 1;
        if (strlen(name_of(field)) == length && strncmp(name_of(field), name, length) == 0) {
            return true;
        }
    }
    return false;
}

/* Is the step's outcome, which its action decides? */
static bool is_outcome(const struct token_field *field)
{
    return field->field != FIELD_RETURN && field->field != FIELD_STATE;
}

/* The layout has a field of the same kind already: as it is now, or as of the step before. */
static bool refuse_second(const char *text, const struct token_field *one,
                          const struct token_field *other, struct failure *failure)
{
    char both[16];
    if (one->is_previous == other->is_previous) {
        return layout_refuse(text, name_of(one), "stands twice", failure);
    }
    snprintf(both, sizeof both, "%s and %s", names[one->field][0], names[one->field][1]);
    return layout_refuse(text, both, "exclude each other", failure);
}

/* The layout's next field, of `length` letters at `at`. */
static bool read_field(struct token_layout *layout, const char *at, size_t length, const char *text,
                       struct failure *failure)
{
    struct token_field added = {.token = layout->count};
    if (length == 0) {
        return layout_refuse(text, "a field", "is missing", failure);
    }
    if (!find_field(&added, at, length)) {
        char quoted[80];
        snprintf(quoted, sizeof quoted, "\"%.*s\"", (int)length, at);
        return layout_refuse(text, quoted, "is no field", failure);
    }
    if (added.is_previous && !is_outcome(&added)) {
        return layout_refuse(text, name_of(&added), "is no field: of the step before are -a -r -d",
                             failure);
    }
    for (size_t i = 0; i < layout->field_count; i++) {
        if (layout->fields[i].field == added.field) {
            return refuse_second(text, &added, &layout->fields[i], failure);
        }
    }
    add_field(layout, added);
    return true;
}

static bool find_state(struct token_layout *layout)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct token_field *field = &layout->fields[i];
        if (field->field == FIELD_STATE && !field->is_previous) {
            layout->state_index = field->token;
            return true;
        }
    }
    return false;
}

/* What is predicted at the state must not be known there; what came before belongs there. */
static bool check_order(const struct token_layout *layout, const char *text,
                        struct failure *failure)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct token_field *field = &layout->fields[i];
        bool is_late = field->token > layout->state_index;
        if (field->is_previous && is_late) {
            return layout_refuse(text, name_of(field),
                                 "of the step before stands in a token after the state's", failure);
        }
        if (!field->is_previous && is_outcome(field) && !is_late) {
            return layout_refuse(text, name_of(field),
                                 field->field == FIELD_ACTION
                                     ? "is no later than the state s, at which it is predicted"
                                     : "comes of the action, but is no later than the state s, at "
                                       "which that is predicted",
                                 failure);
        }
    }
    return true;
}

bool token_layout_parse(struct token_layout *layout, const char *text, struct failure *failure)
{
    *layout = (struct token_layout){0};
    for (const char *at = text;; at++) {
        size_t length = strcspn(at, ",+");
        if (!read_field(layout, at, length, text, failure)) {
            return false;
        }
        at += length;
        layout->count += *at != '+';
        if (*at == '\0') {
            break;
        }
    }
    if (!find_state(layout)) {
        return layout_refuse(text, "the state s", "is missing", failure);
    }
    return check_order(layout, text, failure);
}

void token_layout_print(const struct token_layout *layout, char *text)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        const struct token_field *field = &layout->fields[i];
        if (i > 0) {
            *text++ = field->token > layout->fields[i - 1].token ? ',' : '+';
        }
        for (const char *letter = name_of(field); *letter; letter++) {
            *text++ = *letter;
        }
    }
    *text = '\0';
}

bool token_layout_has(const struct token_layout *layout, enum field field)
{
    for (size_t i = 0; i < layout->field_count; i++) {
        if (layout->fields[i].field == field) {
            return true;
        }
    }
    return false;
}
