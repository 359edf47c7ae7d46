/* How a chain of trajectories becomes a sequence of tokens.
 *
 * Each control step is the same few tokens, one of each kind of the layout, in its order. So the
 * token at index t belongs to step t / kinds of the context and has kind t % kinds: arithmetic
 * only, nothing is stored per token. The agentic transformer is "R,s,a,r,d" (arXiv 2305.16554), the
 * ring paper's variant "R,s,a,r" (arXiv 2310.01889, section 5.3), the decision transformer "R,s,a"
 * (arXiv 2106.01345), behaviour cloning "s,a". */
#ifndef CHAINRING_CONTEXT_LAYOUT_H
#define CHAINRING_CONTEXT_LAYOUT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/fatal.h"

enum token_kind {
    TOKEN_RETURN, /* R: the return-to-go before this step */
    TOKEN_STATE,  /* s: the observation; the action is predicted here */
    TOKEN_ACTION, /* a */
    TOKEN_REWARD, /* r */
    TOKEN_DONE,   /* d: 1 on the last step of a trajectory that reached its target */
    TOKEN_KINDS
};

struct token_layout {
    size_t count;                       /* tokens per step */
    enum token_kind kinds[TOKEN_KINDS]; /* in their order */
    size_t state_index;                 /* of the state among them */
};

/* Read "R,s,a,r,d": letters of different kinds, the state among them and before the action.
 * False and a failure (EXIT_CODE_CONFIG) otherwise. Local. */
bool token_layout_parse(struct token_layout *layout, const char *text, struct failure *failure);

enum { TOKEN_LAYOUT_TEXT_SIZE = 2 * TOKEN_KINDS + 1 };

/* The inverse: `text` has room for TOKEN_LAYOUT_TEXT_SIZE characters. */
void token_layout_print(const struct token_layout *layout, char *text);

bool token_layout_has(const struct token_layout *layout, enum token_kind kind);

/* "return", "state", ... */
const char *token_kind_name(enum token_kind kind);

#endif
