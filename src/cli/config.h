/* The whole configuration of the program, as plain data.
 *
 * options.def says which options exist; here they become struct config, one nested struct for each
 * section, without pointers, so that rank 0 can broadcast its bytes. Values come from the defaults,
 * then a configuration file, then the environment, then the command line, each over the one before.
 * Only src/cli and src/main.c see it: everything below gets its own small struct of options. */
#ifndef CHAINRING_CLI_CONFIG_H
#define CHAINRING_CLI_CONFIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/fatal.h"

enum { CONFIG_TEXT_SIZE = 512 };

/* Values of choices; the other choices have the values of an enum of the module they are for. */
enum config_answer { CONFIG_NO, CONFIG_YES };
enum config_precision { CONFIG_F32, CONFIG_BF16 };
enum config_eval_precision { CONFIG_EVAL_TRAINED, CONFIG_EVAL_F32, CONFIG_EVAL_BF16 };
enum config_policy {
    CONFIG_POLICY_SCRIPT,
    CONFIG_POLICY_RANDOM,
    CONFIG_POLICY_ORNSTEIN_UHLENBECK,
    CONFIG_POLICY_PLANNER,
    CONFIG_POLICY_SEARCHER,
    CONFIG_POLICY_CHECKPOINT,
};
enum config_format { CONFIG_FORMAT_TEXT, CONFIG_FORMAT_JSON };

/* config.train.steps, config.chain.trials, ...: bytes that no option uses are 0. */
/* clang-format off */
#define CONFIG_FIELD_COUNT(key) size_t key
#define CONFIG_FIELD_NUMBER(key) double key
#define CONFIG_FIELD_TEXT(key) char key[CONFIG_TEXT_SIZE]
#define CONFIG_FIELD_CHOICE(key) int key
struct config {
#define SECTION(section, help) struct config_##section {
#define OPTION(section, key, type, unit, low, high, initial, help) CONFIG_FIELD_##type(key);
#define SECTION_END(section) } section;
#include "cli/options.def"
};
/* clang-format on */

enum config_section_id {
#define SECTION(section, help) CONFIG_SECTION_##section,
#include "cli/options.def"
    CONFIG_SECTIONS
};

enum config_option_id {
#define OPTION(section, key, type, unit, low, high, initial, help) CONFIG_OPTION_##section##_##key,
#include "cli/options.def"
    CONFIG_OPTIONS
};

/* A set of sections, as bits. */
#define CONFIG_READS(section) (1u << CONFIG_SECTION_##section)

enum config_source { CONFIG_DEFAULT, CONFIG_FILE, CONFIG_ENVIRONMENT, CONFIG_COMMAND_LINE };

/* Where each value came from, for messages; plain data as well. */
struct config_origins {
    struct {
        enum config_source source;
        size_t line; /* in the file */
    } options[CONFIG_OPTIONS];
    char file[CONFIG_TEXT_SIZE]; /* the last one read, fit to print */
};

/* Every option at its default; every origin too. Local, like all of this file. */
void config_defaults(struct config *config, struct config_origins *origins);

/* Read a configuration file over what is there. YAML, sections of keys: an unknown, repeated or
 * nested key, a value of the wrong type or out of range, an anchor, an alias, a tag, a list or a
 * second document are refused with file and line (EXIT_CODE_CONFIG), also files above 1 MiB; a
 * file that is not there is EXIT_CODE_NO_INPUT. After false the contents of config are undefined.
 */
bool config_read_file(struct config *config, struct config_origins *origins, const char *path,
                      struct failure *failure);

/* Read the variables CHAINRING_SECTION_KEY of the named sections; an unknown key of theirs or a bad
 * value is refused (EXIT_CODE_CONFIG). */
bool config_read_environment(struct config *config, struct config_origins *origins,
                             unsigned sections, struct failure *failure);

/* Do options that must fit together fit? Code and line name where the misfits were set. */
bool config_check(const struct config *config, const struct config_origins *origins,
                  struct failure *failure);

/* The same of how chains become contexts, for commands that draw them as training does. */
bool config_check_chains(const struct config *config, const struct config_origins *origins,
                         struct failure *failure);

/* Write all options of some sections (CONFIG_READS) as a configuration file with comments; reading
 * it gives the same bytes. False when the stream has failed. The caller opens, flushes and closes.
 */
bool config_write(FILE *stream, const struct config *config, unsigned sections);

/* A line "train.rate was 0.001, is 0.01 now" for each option of some sections that differs. */
void config_write_changes(FILE *stream, const struct config *before, const struct config *now,
                          unsigned sections);

/* Where a value is read. */
struct config_location {
    enum config_source source;
    const char *file; /* of CONFIG_FILE, fit to print; borrowed */
    size_t line;
};

struct config_option;

/* Set an option and its origin, or refuse the text and name its location: EXIT_CODE_USAGE for the
 * command line, EXIT_CODE_CONFIG else. */
bool config_assign(struct config *config, struct config_origins *origins,
                   const struct config_option *option, const char *text,
                   const struct config_location *location, struct failure *failure);

/* "LOCATION: found FOUND, expected ...", with the code as above. Returns false. */
bool config_refuse(const struct config_option *option, const char *found,
                   const struct config_location *location, struct failure *failure);

/* "model.heads = 3 (configs/x.yaml:7)", with a final 0 in `size` bytes. */
void config_describe(char *text, size_t size, const struct config *config,
                     const struct config_origins *origins, enum config_option_id id);

#endif
