#include "tests/fuzz/need.h"

#include <string.h>

void need(bool holds)
{
    if (!holds) {
        __builtin_trap();
    }
}

void need_line(const struct failure *failure)
{
    need(failure->code == EXIT_CODE_DATA && failure->text[0] != '\0');
    need(!strpbrk(failure->text, "\n\r"));
}
