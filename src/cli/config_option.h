/* The option table itself: what options.def says, ready to be looked up by name.
 *
 * Also finds the option that a misspelt name stands for. Does not know where
 * names and values come from. */
#ifndef CHAINRING_CLI_CONFIG_OPTION_H
#define CHAINRING_CLI_CONFIG_OPTION_H

#include <stddef.h>

#include "cli/config.h"

enum config_type {
    CONFIG_TYPE_COUNT,
    CONFIG_TYPE_NUMBER,
    CONFIG_TYPE_TEXT,
    CONFIG_TYPE_CHOICE,
};

struct config_option {
    enum config_option_id id;
    enum config_section_id section_id;
    const char *section; /* "train" */
    const char *key;     /* "steps" */
    const char *name;    /* "train.steps" */
    enum config_type type;
    const char *unit;         /* "steps", or "" ; a choice's names, "no|yes" */
    double low, high;         /* inclusive; of a text: its length; of a choice: its constants */
    double initial;           /* the default, but of a text: */
    const char *initial_text; /* NULL for other types */
    const char *help;
    size_t offset; /* in struct config */
};

struct config_section {
    const char *name;
    const char *help;
};

enum { CONFIG_NAME_SIZE = 64 }; /* of a section, a key or an option's name */

/* Entries by number; the caller owns nothing. Local, like all of this file. */
const struct config_option *config_option_at(enum config_option_id id);
const struct config_section *config_section_at(enum config_section_id id);

/* NULL where there is none. */
const struct config_option *config_option_find(const char *section, const char *key);
const struct config_section *config_section_find(const char *name);

/* The option that is the only one in `sections` with this key; NULL where none or several are. */
const struct config_option *config_option_find_only(unsigned sections, const char *key);

/* The option of one of `sections` that is meant by a name that no option has: the one that earlier
 * versions called so, else the one whose section and key are spelt most alike. A section of "" may
 * be any. *why is what to say before its name. Never NULL for a set that is not empty. */
const struct config_option *config_option_suggest(const char **why, const char *section,
                                                  const char *key, unsigned sections);
const struct config_section *config_section_nearest(const char *name);

/* name = "CHAINRING_TRAIN_STEPS", in `size` bytes; CONFIG_NAME_SIZE + 16 are enough. */
void config_option_environment(char *name, size_t size, const struct config_option *option);

#endif
