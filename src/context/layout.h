/* How a chain of trajectories becomes a sequence of tokens.
 *
 * A control step is the same few tokens, and a token carries one field of the step or several: what
 * is true now (the return-to-go, the state), what came of it (the action, the reward, done), or
 * what came of the step before. So the token at index t belongs to step t / count of the context
 * and is the layout's token t % count: arithmetic only, nothing is stored per token.
 *
 * The agentic transformer is "R,s,a,r,d" (arXiv 2305.16554), the ring paper's variant "R,s,a,r"
 * (arXiv 2310.01889, section 5.3), the decision transformer "R,s,a" (arXiv 2106.01345), behaviour
 * cloning "s,a". "R+s+-a+-r+-d" is one token a step, which holds the reward beside the state that
 * it was given for (as arXiv 2210.14215 and 2306.14892 do). */
#ifndef CHAINRING_CONTEXT_LAYOUT_H
#define CHAINRING_CONTEXT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"

/* What a step brings. */
enum field {
    FIELD_RETURN, /* R: the return-to-go before this step */
    FIELD_STATE,  /* s: the observation; the action is predicted at the token that holds it */
    FIELD_ACTION, /* a */
    FIELD_REWARD, /* r */
    FIELD_DONE,   /* d: 1 on the last step of a trajectory that reached its target */
    FIELDS
};

struct token_field {
    enum field field;
    bool is_previous; /* of the step before, which may be of the trial before; 0 at the context's
                         first step */
    size_t token;     /* that carries it */
};

struct token_layout {
    size_t count;       /* tokens per step */
    size_t state_index; /* of the token with the state */
    size_t field_count;
    struct token_field fields[FIELDS]; /* token by token, those of a token in the order above */
};

/* Read "R,s,a,r,d" or "R+s+-a+-r+-d": tokens between commas, their fields between pluses in any
 * order, each field at most once; with "-" that of the step before. The state is among them; what
 * comes of a step stands in tokens after the state's, what came of the step before does not. False
 * and a failure (EXIT_CODE_CONFIG) otherwise. Local. */
bool token_layout_parse(struct token_layout *layout, const char *text, struct failure *failure);

enum { TOKEN_LAYOUT_TEXT_SIZE = 3 * FIELDS + 1 };

/* The inverse: `text` has room for TOKEN_LAYOUT_TEXT_SIZE characters. */
void token_layout_print(const struct token_layout *layout, char *text);

bool token_layout_has(const struct token_layout *layout, enum field field);

#endif
