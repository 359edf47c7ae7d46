#include "envs/inertia.h"

const char *inertia_rule_name(enum inertia_rule rule)
{
    static const char *const names[INERTIA_RULES] = {
        [INERTIA_EXACT] = "exact",
        [INERTIA_LEGACY] = "legacy",
    };
    return names[rule];
}
