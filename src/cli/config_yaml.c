#include "cli/config.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <yaml.h>

#include "base/memory.h"
#include "cli/config_option.h"
#include "cli/config_value.h"

static const size_t file_size_max = (size_t)1 << 20;

/* Reads a file as a stream of events, one of which is current. */
struct reader {
    struct config *config;
    struct config_origins *origins;
    struct failure *failure;
    const char *path; /* fit to print */
    const char *bytes;
    yaml_parser_t parser;
    yaml_event_t event;
    size_t section_lines[CONFIG_SECTIONS]; /* where each was given in this file, 0: not yet */
    size_t option_lines[CONFIG_OPTIONS];
};

static size_t event_line(const struct reader *reader)
{
    return reader->event.start_mark.line + 1;
}

static bool refuse_line(struct reader *reader, size_t line, const char *what)
{
    return failure_set(reader->failure, EXIT_CODE_CONFIG, "%s:%zu: %s", reader->path, line, what);
}

/* --- Events ----------------------------------------------------------------------------------- */

static bool refuse_syntax(struct reader *reader)
{
    const yaml_parser_t *parser = &reader->parser;
    size_t line = parser->problem_mark.line + 1;
    /* Bytes that are no text have an offset only. */
    if (parser->error == YAML_READER_ERROR) {
        line = 1;
        for (size_t i = 0; i < parser->problem_offset; i++) {
            line += reader->bytes[i] == '\n' ? 1 : 0;
        }
    }
    return failure_set(reader->failure, EXIT_CODE_CONFIG, "%s:%zu: not YAML: %s", reader->path,
                       line, parser->problem ? parser->problem : "cannot be read");
}

/* YAML that configurations do without: whatever makes a value depend on other lines. */
static const char *unwanted(const yaml_event_t *event)
{
    switch (event->type) {
    case YAML_ALIAS_EVENT:
        return "found an alias (*), expected the value itself";
    case YAML_SEQUENCE_START_EVENT:
        return "found a list, expected sections of keys with one value each";
    case YAML_SCALAR_EVENT:
        return event->data.scalar.anchor ? "found an anchor (&), expected a value alone"
               : event->data.scalar.tag  ? "found a tag (!), expected a value alone"
                                         : NULL;
    case YAML_MAPPING_START_EVENT:
        return event->data.mapping_start.anchor ? "found an anchor (&), expected keys alone"
               : event->data.mapping_start.tag  ? "found a tag (!), expected keys alone"
                                                : NULL;
    default:
        return NULL;
    }
}

static bool next_event(struct reader *reader)
{
    yaml_event_delete(&reader->event);
    if (!yaml_parser_parse(&reader->parser, &reader->event)) {
        return refuse_syntax(reader);
    }
    const char *what = unwanted(&reader->event);
    return !what || refuse_line(reader, event_line(reader), what);
}

/* Is the event a value that was left out: nothing, ~ or null? */
static bool is_nothing(const yaml_event_t *event)
{
    if (event->type != YAML_SCALAR_EVENT || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        return false;
    }
    const char *text = (const char *)event->data.scalar.value;
    return text[0] == '\0' || strcmp(text, "~") == 0 || strcmp(text, "null") == 0;
}

/* Copy the current key; one that is cut or has control characters is no option's name. */
static bool take_key(struct reader *reader, char *key)
{
    if (reader->event.type != YAML_SCALAR_EVENT) {
        return refuse_line(reader, event_line(reader), "found a nested key, expected a name");
    }
    config_value_printable(key, CONFIG_NAME_SIZE, (const char *)reader->event.data.scalar.value,
                           reader->event.data.scalar.length);
    return true;
}

/* --- Options ---------------------------------------------------------------------------------- */

static bool refuse_unknown(struct reader *reader, const struct config_section *section,
                           const char *key)
{
    unsigned all = (1u << CONFIG_SECTIONS) - 1;
    const char *why;
    const struct config_option *meant = config_option_suggest(&why, section->name, key, all);
    return failure_set(reader->failure, EXIT_CODE_CONFIG, "%s:%zu: unknown key %s.%s; %s %s",
                       reader->path, event_line(reader), section->name, key, why, meant->name);
}

/* Assign the current value, if it suits the type. */
static bool take_value(struct reader *reader, const struct config_option *option)
{
    const yaml_event_t *event = &reader->event;
    struct config_location location = {
        .source = CONFIG_FILE, .file = reader->path, .line = event_line(reader)};
    if (event->type != YAML_SCALAR_EVENT) {
        return config_refuse(option, "nested keys", &location, reader->failure);
    }
    const char *text = (const char *)event->data.scalar.value;
    bool is_numeric = option->type == CONFIG_TYPE_COUNT || option->type == CONFIG_TYPE_NUMBER;
    if (is_nothing(event)) {
        return config_refuse(option, "nothing", &location, reader->failure);
    }
    if (is_numeric && event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        return config_refuse(option, "text in quotes", &location, reader->failure);
    }
    if (strlen(text) != event->data.scalar.length) {
        return config_refuse(option, "text with a zero byte", &location, reader->failure);
    }
    return config_assign(reader->config, reader->origins, option, text, &location, reader->failure);
}

/* From the current key to its value. */
static bool read_option(struct reader *reader, const struct config_section *section)
{
    char key[CONFIG_NAME_SIZE];
    if (!take_key(reader, key)) {
        return false;
    }
    const struct config_option *option = config_option_find(section->name, key);
    if (!option) {
        return refuse_unknown(reader, section, key);
    }
    size_t *line = &reader->option_lines[option->id];
    if (*line) {
        return failure_set(reader->failure, EXIT_CODE_CONFIG,
                           "%s:%zu: %s was already given on line %zu; keep one of them",
                           reader->path, event_line(reader), option->name, *line);
    }
    *line = event_line(reader);
    return next_event(reader) && take_value(reader, option);
}

/* --- Sections --------------------------------------------------------------------------------- */

/* A key that stands outside its section is the likeliest mistake. */
static bool refuse_section(struct reader *reader, const char *name)
{
    const char *nearest = config_section_nearest(name)->name;
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = config_option_at(i);
        if (strcmp(option->key, name) == 0 || strcmp(option->name, name) == 0) {
            return failure_set(
                reader->failure, EXIT_CODE_CONFIG,
                "%s:%zu: unknown section %s; write %s: in a line below %s:", reader->path,
                event_line(reader), name, option->key, option->section);
        }
    }
    return failure_set(reader->failure, EXIT_CODE_CONFIG,
                       "%s:%zu: unknown section %s; the nearest is %s", reader->path,
                       event_line(reader), name, nearest);
}

static bool read_keys(struct reader *reader, const struct config_section *section)
{
    if (is_nothing(&reader->event)) {
        return true;
    }
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        return failure_set(reader->failure, EXIT_CODE_CONFIG,
                           "%s:%zu: %s: found a value, expected lines of key: value below it",
                           reader->path, event_line(reader), section->name);
    }
    while (next_event(reader)) {
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            return true;
        }
        if (!read_option(reader, section)) {
            return false;
        }
    }
    return false;
}

/* From the section's name to the end of its options. */
static bool read_section(struct reader *reader)
{
    char name[CONFIG_NAME_SIZE];
    if (!take_key(reader, name)) {
        return false;
    }
    const struct config_section *section = config_section_find(name);
    if (!section) {
        return refuse_section(reader, name);
    }
    size_t *line = &reader->section_lines[section - config_section_at(0)];
    if (*line) {
        return failure_set(reader->failure, EXIT_CODE_CONFIG,
                           "%s:%zu: section %s was already given on line %zu; join them",
                           reader->path, event_line(reader), section->name, *line);
    }
    *line = event_line(reader);
    return next_event(reader) && read_keys(reader, section);
}

static bool read_sections(struct reader *reader)
{
    if (is_nothing(&reader->event)) {
        return true;
    }
    if (reader->event.type != YAML_MAPPING_START_EVENT) {
        return refuse_line(reader, event_line(reader), "found a value, expected sections of keys");
    }
    while (next_event(reader)) {
        if (reader->event.type == YAML_MAPPING_END_EVENT) {
            return true;
        }
        if (!read_section(reader)) {
            return false;
        }
    }
    return false;
}

/* Stream start, at most one document, stream end. */
static bool read_stream(struct reader *reader)
{
    bool is_begun = next_event(reader);
    bool is_open = is_begun && next_event(reader);
    if (!is_open || reader->event.type == YAML_STREAM_END_EVENT) {
        return is_open;
    }
    bool is_read = next_event(reader) && read_sections(reader);
    bool is_closed = is_read && next_event(reader);
    if (!is_closed || !next_event(reader)) {
        return false;
    }
    return reader->event.type == YAML_STREAM_END_EVENT ||
           refuse_line(reader, event_line(reader), "found a second document, expected one");
}

/* --- The file --------------------------------------------------------------------------------- */

static FILE *open_plain_file(const char *path, const char *name, struct failure *failure)
{
    struct stat status;
    const char *why;
    if (stat(path, &status) != 0) {
        why = strerror(errno);
    } else if (!S_ISREG(status.st_mode)) {
        why = "not a plain file";
    } else {
        FILE *stream = fopen(path, "rb");
        if (stream) {
            return stream;
        }
        why = strerror(errno);
    }
    failure_set(failure, EXIT_CODE_NO_INPUT,
                "%s: cannot be opened: %s; name a configuration file that exists", name, why);
    return NULL;
}

/* Fill bytes (file_size_max + 1) with the file. */
static bool read_bytes(char *bytes, size_t *size, const char *path, const char *name,
                       struct failure *failure)
{
    FILE *stream = open_plain_file(path, name, failure);
    if (!stream) {
        return false;
    }
    *size = fread(bytes, 1, file_size_max + 1, stream);
    bool is_broken = ferror(stream) != 0;
    fclose(stream);
    if (is_broken) {
        return failure_set(failure, EXIT_CODE_IO, "%s: cannot be read; look after the disk", name);
    }
    return *size <= file_size_max ||
           failure_set(failure, EXIT_CODE_CONFIG,
                       "%s: found more than %zu bytes, expected a configuration file", name,
                       file_size_max);
}

static bool parse_yaml(struct reader *reader, size_t size)
{
    if (!yaml_parser_initialize(&reader->parser)) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: no room for a YAML parser");
    }
    yaml_parser_set_input_string(&reader->parser, (const unsigned char *)reader->bytes, size);
    bool is_read = read_stream(reader);
    yaml_event_delete(&reader->event);
    yaml_parser_delete(&reader->parser);
    return is_read;
}

bool config_read_file(struct config *config, struct config_origins *origins, const char *path,
                      struct failure *failure)
{
    config_value_printable(origins->file, sizeof origins->file, path, strlen(path));
    char *bytes = memory_take(file_size_max + 1, 1);
    struct reader reader = {.config = config,
                            .origins = origins,
                            .failure = failure,
                            .path = origins->file,
                            .bytes = bytes};
    size_t size;
    bool is_read =
        read_bytes(bytes, &size, path, origins->file, failure) && parse_yaml(&reader, size);
    memory_free(bytes);
    return is_read;
}
