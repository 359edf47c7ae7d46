#include "context/layout.h"

#include <string.h>

static const char letters[FIELDS + 1] = "Rsard";

static bool layout_refuse(const char *text, const char *why, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "context.tokens: found \"%s\", %s; expected tokens made of R, s, a, r, d, "
                       "such as \"R,s,a,r,d\" or \"R+s+-a+-r+-d\"",
                       text, why);
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

/* One field and what follows it, at *at; false where there is none. */
static bool read_field(struct token_layout *layout, const char **at)
{
    bool is_previous = **at == '-';
    *at += is_previous;
    const char *letter = **at ? strchr(letters, **at) : NULL;
    if (!letter || layout->field_count == FIELDS) {
        return false;
    }
    add_field(layout, (struct token_field){
                          .field = (enum field)(letter - letters),
                          .is_previous = is_previous,
                          .token = layout->count,
                      });
    char next = *++*at;
    layout->count += next != '+';
    if (next == '+' || next == ',') {
        return *++*at != '\0';
    }
    return next == '\0';
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
        bool is_outcome = field->field != FIELD_RETURN && field->field != FIELD_STATE;
        if (field->is_previous && !is_outcome) {
            return layout_refuse(text, "with a return or state of the step before", failure);
        }
        if (field->is_previous && field->token > layout->state_index) {
            return layout_refuse(text, "where the step before stands after the state", failure);
        }
        if (!field->is_previous && is_outcome && field->token <= layout->state_index) {
            return layout_refuse(text, "where the outcome of a step is known before its action",
                                 failure);
        }
    }
    return true;
}

static bool has_one_twice(const struct token_layout *layout)
{
    unsigned seen = 0;
    for (size_t i = 0; i < layout->field_count; i++) {
        unsigned bit = 1U << layout->fields[i].field;
        if (seen & bit) {
            return true;
        }
        seen |= bit;
    }
    return false;
}

bool token_layout_parse(struct token_layout *layout, const char *text, struct failure *failure)
{
    *layout = (struct token_layout){0};
    const char *at = text;
    do {
        if (!read_field(layout, &at)) {
            return layout_refuse(text, "which is not a list of tokens", failure);
        }
    } while (*at);
    if (has_one_twice(layout)) {
        return layout_refuse(text, "which names a field twice", failure);
    }
    if (!find_state(layout)) {
        return layout_refuse(text, "without a state s", failure);
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
        if (field->is_previous) {
            *text++ = '-';
        }
        *text++ = letters[field->field];
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
