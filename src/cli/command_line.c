#include "cli/command_line.h"

#include <string.h>
#include <unistd.h>

#include "base/nearest.h"
#include "cli/command_use.h"
#include "cli/config_option.h"
#include "cli/config_value.h"

static const struct command_entry entries[COMMANDS] = {
    [COMMAND_TRAIN] = {.name = "train",
                       .help = "train a policy; the same command again goes on where it stopped",
                       .positional = "CONFIG.yaml",
                       .argument = COMMAND_ARGUMENT_CONFIG,
                       .sections = CONFIG_READS(run) | CONFIG_READS(data) | CONFIG_READS(chain) |
                                   CONFIG_READS(context) | CONFIG_READS(model) |
                                   CONFIG_READS(mesh) | CONFIG_READS(attention) |
                                   CONFIG_READS(train) | CONFIG_READS(eval)},
    [COMMAND_EVAL] = {.name = "eval",
                      .help = "roll a trained policy out in its environment and print its scores",
                      .positional = "RUN",
                      .argument = COMMAND_ARGUMENT_RUN,
                      .sections =
                          CONFIG_READS(attention) | CONFIG_READS(chain) | CONFIG_READS(eval)},
    [COMMAND_COLLECT] = {.name = "collect",
                         .help = "collect episodes in an environment into a new trajectory store",
                         .positional = "[CONFIG.yaml]",
                         .argument = COMMAND_ARGUMENT_OPTIONAL_CONFIG,
                         .sections = CONFIG_READS(collect) | CONFIG_READS(planner)},
    [COMMAND_CONVERT] = {.name = "convert",
                         .help = "convert a data set of others into a trajectory store, or back",
                         .positional = "INPUT",
                         .argument = COMMAND_ARGUMENT_OTHER,
                         .sections = CONFIG_READS(convert) | CONFIG_READS(planner)},
    [COMMAND_INSPECT] = {.name = "inspect",
                         .help = "say what a trajectory store holds, or check it; list the tasks",
                         .positional = "FILE",
                         .argument = COMMAND_ARGUMENT_FILE,
                         .sections = CONFIG_READS(inspect) | CONFIG_READS(run) |
                                     CONFIG_READS(data) | CONFIG_READS(chain) |
                                     CONFIG_READS(context) | CONFIG_READS(mesh) |
                                     CONFIG_READS(train)},
    [COMMAND_BENCH] = {.name = "bench",
                       .help = "time step, attention, decode, peak, ring, data or envs here",
                       .positional = "NAME",
                       .argument = COMMAND_ARGUMENT_OTHER,
                       .sections = CONFIG_READS(context) | CONFIG_READS(model) |
                                   CONFIG_READS(mesh) | CONFIG_READS(attention) |
                                   CONFIG_READS(bench)},
    [COMMAND_RENDER] = {.name = "render",
                        .help = "show an episode: a video, a strip, single frames",
                        .positional = "[RUN]",
                        .argument = COMMAND_ARGUMENT_OPTIONAL_RUN,
                        .sections = CONFIG_READS(render)},
};

const struct command_entry *command_line_entry(enum command command)
{
    invariant(command < COMMANDS);
    return &entries[command];
}

/* --- Arguments, one by one -------------------------------------------------------------------- */

enum item_kind { ITEM_END, ITEM_OPTION, ITEM_POSITIONAL, ITEM_HELP, ITEM_VERSION, ITEM_REFUSED };

/* What the next argument, or the next two, say. */
struct item {
    enum item_kind kind;
    const struct config_option *option;
    const char *text; /* the option's value, or the positional; borrowed from argv */
};

struct walk {
    enum command command;
    char **next; /* ends in NULL */
    bool has_options_ended;
};

/* `known`: the option that has the name, or NULL. */
static enum item_kind refuse_option(enum command command, const char *name,
                                    const struct config_option *known, struct failure *failure)
{
    const struct command_entry *entry = command_line_entry(command);
    char section[2 * CONFIG_NAME_SIZE];
    char printable[CONFIG_NAME_SIZE];
    config_value_printable(printable, sizeof printable, name, strlen(name));
    if (known) {
        failure_set(failure, EXIT_CODE_USAGE,
                    "%s does not read --%s; chainring %s --help lists what it reads", entry->name,
                    known->name, entry->name);
    } else {
        const char *why;
        const char *dot = strchr(name, '.');
        snprintf(section, sizeof section, "%.*s", dot ? (int)(dot - name) : 0, name);
        const struct config_option *meant =
            config_option_suggest(&why, section, dot ? dot + 1 : name, entry->sections);
        failure_set(failure, EXIT_CODE_USAGE, "unknown option --%s; %s --%s", printable, why,
                    meant->name);
    }
    return ITEM_REFUSED;
}

/* Those of the sections that are no other command's own. */
static unsigned shared_sections(const struct command_entry *entry)
{
    unsigned shared = entry->sections;
    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        for (size_t command = 0; command < COMMANDS; command++) {
            bool is_own = strcmp(config_section_at(i)->name, entries[command].name) == 0;
            shared &= is_own ? ~(1u << i) : ~0u;
        }
    }
    return shared;
}

/* The option of "train.steps=5", "train.steps", or "steps": in its own command, or where no other
 * section that the command reads has that key; another command's gives way to those of none. */
static enum item_kind find_option(const struct config_option **option, enum command command,
                                  const char *text, struct failure *failure)
{
    const struct command_entry *entry = command_line_entry(command);
    char name[2 * CONFIG_NAME_SIZE];
    char section[sizeof name];
    config_value_printable(name, sizeof name, text, strcspn(text, "="));
    const char *dot = strchr(name, '.');
    const char *key = dot ? dot + 1 : name;
    snprintf(section, sizeof section, "%s", dot ? name : entry->name);
    section[strcspn(section, ".")] = '\0';
    *option = config_option_find(section, key);
    if (!*option && !dot) {
        *option = config_option_find_only(shared_sections(entry), key);
    }
    if (!*option && !dot) {
        *option = config_option_find_only(entry->sections, key);
    }
    return *option && command_use(command, *option) != COMMAND_USE_NEVER
               ? ITEM_OPTION
               : refuse_option(command, name, *option, failure);
}

static bool is_answer(const char *text)
{
    return text && (strcmp(text, "yes") == 0 || strcmp(text, "no") == 0);
}

/* The option whose choice the argument is: "--json" is "--format=json", where a command has that.
 */
static const struct config_option *find_form(const struct command_entry *entry, const char *text)
{
    const struct config_option *format = config_option_find(entry->name, "format");
    size_t length = strlen(text);
    for (const char *at = format ? format->unit : ""; *at != '\0' && length > 0;) {
        size_t choice = strcspn(at, "|");
        if (choice == length && strncmp(at, text, length) == 0) {
            return format;
        }
        at += choice + (at[choice] == '|');
    }
    return NULL;
}

static struct item option_item(struct walk *walk, const char *argument, struct failure *failure)
{
    struct item item = {.kind = ITEM_OPTION,
                        .option = find_form(command_line_entry(walk->command), argument + 2),
                        .text = argument + 2};
    if (item.option) {
        return item;
    }
    item.kind = find_option(&item.option, walk->command, argument + 2, failure);
    if (item.kind == ITEM_REFUSED) {
        return item;
    }
    bool is_question =
        item.option->type == CONFIG_TYPE_CHOICE && strcmp(item.option->unit, "no|yes") == 0;
    const char *equals = strchr(argument, '=');
    if (equals) {
        item.text = equals + 1;
    } else if (is_question) {
        item.text = is_answer(*walk->next) ? *walk->next++ : "yes";
    } else if (*walk->next && strncmp(*walk->next, "--", 2) != 0) {
        item.text = *walk->next++;
    } else {
        char expected[CONFIG_TEXT_SIZE];
        config_value_expected(expected, sizeof expected, item.option);
        failure_set(failure, EXIT_CODE_USAGE, "--%s: found no value, expected %s",
                    item.option->name, expected);
        item.kind = ITEM_REFUSED;
    }
    return item;
}

static struct item next_item(struct walk *walk, struct failure *failure)
{
    const char *argument = *walk->next;
    if (!argument) {
        return (struct item){.kind = ITEM_END};
    }
    walk->next++;
    if (!walk->has_options_ended && strcmp(argument, "--") == 0) {
        walk->has_options_ended = true;
        return next_item(walk, failure);
    }
    if (walk->has_options_ended || argument[0] != '-') {
        return (struct item){.kind = ITEM_POSITIONAL, .text = argument};
    }
    if (strcmp(argument, "--help") == 0 || strcmp(argument, "-h") == 0) {
        return (struct item){.kind = ITEM_HELP};
    }
    if (strcmp(argument, "--version") == 0) {
        return (struct item){.kind = ITEM_VERSION};
    }
    if (argument[1] != '-') {
        char printable[CONFIG_NAME_SIZE];
        config_value_printable(printable, sizeof printable, argument, strlen(argument));
        failure_set(failure, EXIT_CODE_USAGE,
                    "unknown option %s; options begin with two hyphens, see chainring %s --help",
                    printable, command_line_entry(walk->command)->name);
        return (struct item){.kind = ITEM_REFUSED};
    }
    return option_item(walk, argument, failure);
}

/* --- What the arguments say ------------------------------------------------------------------- */

static bool take_positional(struct command_line *line, const char *text, struct failure *failure)
{
    const struct command_entry *entry = command_line_entry(line->command);
    char printable[CONFIG_NAME_SIZE];
    config_value_printable(printable, sizeof printable, text, strlen(text));
    if (line->positional[0] != '\0') {
        return failure_set(failure, EXIT_CODE_USAGE, "unexpected argument \"%s\"; %s takes one %s",
                           printable, entry->name, entry->positional);
    }
    size_t length = strlen(text);
    if (length == 0 || length >= sizeof line->positional) {
        return failure_set(failure, EXIT_CODE_USAGE,
                           "%s: found %zu bytes, expected 1 to %zu bytes of text",
                           entry->positional, length, sizeof line->positional - 1);
    }
    memcpy(line->positional, text, length);
    return true;
}

static bool refuse_nothing(const struct command_entry *entry, struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_USAGE,
                       "%s: found no %s; use chainring %s %s [--key=value ...]", entry->name,
                       entry->positional, entry->name, entry->positional);
}

/* First pass over the arguments: everything but the values of options. */
static bool gather_arguments(struct command_line *line, char **arguments, struct failure *failure)
{
    const struct command_entry *entry = command_line_entry(line->command);
    struct walk walk = {.command = line->command, .next = arguments};
    for (;;) {
        struct item item = next_item(&walk, failure);
        switch (item.kind) {
        case ITEM_OPTION:
            break;
        case ITEM_POSITIONAL:
            if (!take_positional(line, item.text, failure)) {
                return false;
            }
            break;
        case ITEM_HELP:
            line->action = COMMAND_ACTION_COMMAND_HELP;
            return true;
        case ITEM_VERSION:
            line->action = COMMAND_ACTION_VERSION;
            return true;
        case ITEM_REFUSED:
            return false;
        case ITEM_END:
            return line->positional[0] != '\0' ||
                   entry->argument == COMMAND_ARGUMENT_OPTIONAL_CONFIG ||
                   entry->argument == COMMAND_ARGUMENT_OPTIONAL_RUN ||
                   entry->argument == COMMAND_ARGUMENT_FILE || refuse_nothing(entry, failure);
        }
    }
}

/* Second pass: the values of options. */
static bool read_option_values(struct command_line *line, struct config *config, char **arguments,
                               struct failure *failure)
{
    struct config_location location = {.source = CONFIG_COMMAND_LINE};
    struct walk walk = {.command = line->command, .next = arguments};
    for (;;) {
        struct item item = next_item(&walk, failure);
        if (item.kind == ITEM_END) {
            return true;
        }
        if (item.kind == ITEM_OPTION &&
            !config_assign(config, &line->origins, item.option, item.text, &location, failure)) {
            return false;
        }
    }
}

/* Of a run that is not there, the run is at fault and not its file. */
static bool read_run(struct command_line *line, struct config *config, struct failure *failure)
{
    char path[CONFIG_TEXT_SIZE + 16];
    char printable[CONFIG_TEXT_SIZE];
    snprintf(path, sizeof path, "%s/config.yaml", line->positional);
    if (access(path, F_OK) != 0) {
        config_value_printable(printable, sizeof printable, line->positional,
                               strlen(line->positional));
        return failure_set(failure, EXIT_CODE_NO_INPUT,
                           "%s: found no run there, expected the folder of one, with the "
                           "config.yaml that training writes; name it as runs/NAME",
                           printable);
    }
    return config_read_file(config, &line->origins, path, failure);
}

static bool read_config_file(struct command_line *line, struct config *config,
                             struct failure *failure)
{
    switch (command_line_entry(line->command)->argument) {
    case COMMAND_ARGUMENT_CONFIG:
    case COMMAND_ARGUMENT_OPTIONAL_CONFIG:
        return line->positional[0] == '\0' ||
               config_read_file(config, &line->origins, line->positional, failure);
    case COMMAND_ARGUMENT_OPTIONAL_RUN:
        if (line->positional[0] == '\0') {
            return true;
        } /* fall through */
    case COMMAND_ARGUMENT_RUN:
        return read_run(line, config, failure);
    case COMMAND_ARGUMENT_FILE:
        return config->inspect.chains == CONFIG_NO ||
               config_read_file(config, &line->origins, line->positional, failure);
    case COMMAND_ARGUMENT_OTHER:
        break;
    }
    return true;
}

/* The default name of a run is that of its configuration file: x of configs/x.yaml. */
static bool name_run(struct command_line *line, struct config *config, struct failure *failure)
{
    if (line->command != COMMAND_TRAIN || config->run.name[0] != '\0') {
        return true;
    }
    char name[CONFIG_TEXT_SIZE];
    const char *slash = strrchr(line->positional, '/');
    snprintf(name, sizeof name, "%s", slash ? slash + 1 : line->positional);
    char *dot = strrchr(name, '.');
    if (dot && dot != name) {
        *dot = '\0';
    }
    struct config_location location = {.source = CONFIG_DEFAULT};
    return config_assign(config, &line->origins, config_option_at(CONFIG_OPTION_run_name), name,
                         &location, failure);
}

/* inspect is about a file or about the tasks. */
static bool check_inspect_subject(const struct command_line *line, const struct config *config,
                                  struct failure *failure)
{
    const struct command_entry *entry = command_line_entry(line->command);
    bool has_file = line->positional[0] != '\0';
    if (entry->argument != COMMAND_ARGUMENT_FILE ||
        has_file != (config->inspect.tasks == CONFIG_YES)) {
        return true;
    }
    return has_file ? failure_set(failure, EXIT_CODE_USAGE,
                                  "%s: found a %s and --tasks, expected one of the two",
                                  entry->name, entry->positional)
                    : refuse_nothing(entry, failure);
}

/* As training does. */
static bool draws_chains(const struct command_line *line, const struct config *config)
{
    return line->command == COMMAND_TRAIN ||
           (line->command == COMMAND_INSPECT && config->inspect.chains == CONFIG_YES);
}

static bool resolve(struct command_line *line, struct config *config, char **arguments,
                    struct failure *failure)
{
    const struct command_entry *entry = command_line_entry(line->command);
    unsigned sections = entry->sections;
    /* The options say whether inspect's FILE is a configuration; then they are put over it. */
    if (entry->argument == COMMAND_ARGUMENT_FILE &&
        !(config_read_environment(config, &line->origins, sections, failure) &&
          read_option_values(line, config, arguments, failure) &&
          check_inspect_subject(line, config, failure))) {
        return false;
    }
    return read_config_file(line, config, failure) &&
           config_read_environment(config, &line->origins, sections, failure) &&
           read_option_values(line, config, arguments, failure) &&
           name_run(line, config, failure) && check_inspect_subject(line, config, failure) &&
           command_use_check(line->command, config, &line->origins, failure) &&
           config_check(config, &line->origins, failure) &&
           (!draws_chains(line, config) || config_check_chains(config, &line->origins, failure));
}

static bool find_command(enum command *command, const char *name, struct failure *failure)
{
    size_t nearest = 0;
    for (size_t i = 0; i < COMMANDS; i++) {
        if (strcmp(entries[i].name, name) == 0) {
            *command = (enum command)i;
            return true;
        }
        if (nearest_edits(name, entries[i].name) < nearest_edits(name, entries[nearest].name)) {
            nearest = i;
        }
    }
    char printable[CONFIG_NAME_SIZE];
    config_value_printable(printable, sizeof printable, name, strlen(name));
    return failure_set(failure, EXIT_CODE_USAGE,
                       "unknown command %s; the nearest is %s, chainring help lists all", printable,
                       entries[nearest].name);
}

bool command_line_parse(struct command_line *line, struct config *config, int argc, char **argv,
                        struct failure *failure)
{
    memset(line, 0, sizeof *line);
    config_defaults(config, &line->origins);
    const char *first = argc > 1 ? argv[1] : "help";
    if (strcmp(first, "--version") == 0) {
        line->action = COMMAND_ACTION_VERSION;
        return true;
    }
    if (strcmp(first, "help") == 0 || strcmp(first, "--help") == 0 || strcmp(first, "-h") == 0) {
        line->action = argc > 2 ? COMMAND_ACTION_COMMAND_HELP : COMMAND_ACTION_HELP;
        return argc <= 2 || find_command(&line->command, argv[2], failure);
    }
    line->action = COMMAND_ACTION_RUN;
    return find_command(&line->command, first, failure) &&
           gather_arguments(line, argv + 2, failure) &&
           (line->action != COMMAND_ACTION_RUN || resolve(line, config, argv + 2, failure));
}
