#include "tests/support/layouts.h"

#include <string.h>

struct search {
    char (*texts)[TOKEN_LAYOUT_TEXT_SIZE];
    size_t count;
    char text[TOKEN_LAYOUT_TEXT_SIZE + 2]; /* the choice so far */
};

/* Every continuation of the first `length` characters by kinds that are not among them. */
static void continue_layout(struct search *search, size_t length)
{
    struct token_layout layout;
    struct failure failure = {0};
    if (length + 1 >= sizeof search->text) {
        return; /* no kind is left */
    }
    for (const char *kind = "Rsard"; *kind; kind++) {
        search->text[length] = '\0';
        if (strchr(search->text, *kind)) {
            continue;
        }
        search->text[length] = *kind;
        search->text[length + 1] = '\0';
        if (token_layout_parse(&layout, search->text, &failure)) {
            memcpy(search->texts[search->count++], search->text, TOKEN_LAYOUT_TEXT_SIZE);
        }
        search->text[length + 1] = ',';
        continue_layout(search, length + 2);
        search->text[length + 1] = '\0';
    }
    search->text[length] = '\0';
}

size_t layouts_all(char texts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE])
{
    struct search search = {.texts = texts};
    continue_layout(&search, 0);
    return search.count;
}
