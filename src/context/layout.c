#include "context/layout.h"

#include <string.h>

static const char letters[TOKEN_KINDS] = {'R', 's', 'a', 'r', 'd'};
static const char *const names[TOKEN_KINDS] = {"return", "state", "action", "reward", "done"};

static bool kind_of_letter(char letter, enum token_kind *kind)
{
    for (size_t i = 0; i < TOKEN_KINDS; i++) {
        if (letters[i] == letter) {
            *kind = (enum token_kind)i;
            return true;
        }
    }
    return false;
}

static bool refuse(const char *text, const char *why, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_CONFIG,
                       "context.tokens: found \"%s\", %s; expected kinds out of R,s,a,r,d, such as "
                       "\"R,s,a,r,d\"",
                       text, why);
}

/* What is predicted at the state token must not stand before it. */
static bool check_order(struct token_layout *layout, const char *text, struct failure *failure)
{
    size_t state = TOKEN_KINDS;
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->kinds[i] == TOKEN_STATE) {
            state = i;
        }
    }
    if (state == TOKEN_KINDS) {
        return refuse(text, "without a state s", failure);
    }
    for (size_t i = 0; i < state; i++) {
        if (layout->kinds[i] != TOKEN_RETURN) {
            return refuse(text, "where the outcome of a step stands before its state", failure);
        }
    }
    layout->state_index = state;
    return true;
}

bool token_layout_parse(struct token_layout *layout, const char *text, struct failure *failure)
{
    *layout = (struct token_layout){0};
    for (const char *at = text; *at; at++) {
        enum token_kind kind;
        if (!kind_of_letter(*at, &kind) || (at[1] != ',' && at[1] != '\0')) {
            return refuse(text, "which is not a list of kinds", failure);
        }
        if (token_layout_has(layout, kind)) {
            return refuse(text, "which names a kind twice", failure);
        }
        layout->kinds[layout->count++] = kind;
        if (at[1] == ',') {
            at++;
            if (at[1] == '\0') {
                return refuse(text, "which ends in a comma", failure);
            }
        }
    }
    return check_order(layout, text, failure);
}

void token_layout_print(const struct token_layout *layout, char *text)
{
    for (size_t i = 0; i < layout->count; i++) {
        *text++ = letters[layout->kinds[i]];
        *text++ = i + 1 < layout->count ? ',' : '\0';
    }
}

bool token_layout_has(const struct token_layout *layout, enum token_kind kind)
{
    for (size_t i = 0; i < layout->count; i++) {
        if (layout->kinds[i] == kind) {
            return true;
        }
    }
    return false;
}

const char *token_kind_name(enum token_kind kind)
{
    return names[kind];
}
