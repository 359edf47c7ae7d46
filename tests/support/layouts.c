#include "tests/support/layouts.h"

#include <string.h>

struct search {
    char (*texts)[TOKEN_LAYOUT_TEXT_SIZE];
    size_t count;
    char text[TOKEN_LAYOUT_TEXT_SIZE + 4]; /* the choice so far */
};

static bool is_printed_so(const struct token_layout *layout, const char *text)
{
    char printed[TOKEN_LAYOUT_TEXT_SIZE];
    token_layout_print(layout, printed);
    return strcmp(printed, text) == 0;
}

static void continue_layout(struct search *search, size_t length);

/* One more field, "-" before it or not, and every continuation of that in its token and in others.
 */
static void add_field(struct search *search, size_t length, char letter, bool is_previous)
{
    struct token_layout layout;
    struct failure failure = {0};
    if (is_previous) {
        search->text[length++] = '-';
    }
    search->text[length++] = letter;
    search->text[length] = '\0';
    if (token_layout_parse(&layout, search->text, &failure) &&
        is_printed_so(&layout, search->text)) {
        memcpy(search->texts[search->count++], search->text, TOKEN_LAYOUT_TEXT_SIZE);
    }
    for (const char *separator = ",+"; *separator; separator++) {
        search->text[length] = *separator;
        search->text[length + 1] = '\0';
        continue_layout(search, length + 1);
    }
}

static void continue_layout(struct search *search, size_t length)
{
    for (const char *letter = "Rsard"; *letter; letter++) {
        search->text[length] = '\0';
        if (!strchr(search->text, *letter)) {
            add_field(search, length, *letter, false);
            add_field(search, length, *letter, true);
        }
    }
    search->text[length] = '\0';
}

size_t layouts_all(char texts[LAYOUTS_MAX][TOKEN_LAYOUT_TEXT_SIZE])
{
    struct search search = {.texts = texts};
    continue_layout(&search, 0);
    return search.count;
}
