#include "envs/model_guard.h"

#include <string.h>

#include "envs/model_text.h"

/* Whose text is checked. */
struct guard {
    const char *name;
};

static const char *const foreign_elements[] = {"include", "plugin", "extension"};
static const char *const folder_attributes[] = {"assetdir", "meshdir", "texturedir"};

static bool is_among(const char *word, const char *const *words, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (strcmp(word, words[i]) == 0) {
            return true;
        }
    }
    return false;
}

bool model_guard_stays_inside(const char *path)
{
    if (path[0] == '/') {
        return false;
    }
    for (const char *at = path; *at; at++) {
        if (*at == '\\' || *at == ':' || (unsigned char)*at < ' ' || *at == '\x7f') {
            return false;
        }
    }
    while (*path) {
        size_t length = strcspn(path, "/");
        if (length == 2 && path[0] == '.' && path[1] == '.') {
            return false;
        }
        path += length + strspn(path + length, "/");
    }
    return true;
}

static bool check_element(const char *name, const struct model_element *element,
                          struct failure *failure)
{
    return !is_among(element->name, foreign_elements,
                     sizeof foreign_elements / sizeof foreign_elements[0]) ||
           failure_set(failure, EXIT_CODE_DATA,
                       "%s.xml: found \"<%s>\" in line %zu, expected a model that is one text, "
                       "without includes and plugins; write out what it stands for",
                       name, element->name, element->line);
}

/* Textures name up to six files: fileup, filedown, ... */
static bool check_attribute(const char *name, const struct model_element *element,
                            const char *attribute, const char *value, struct failure *failure)
{
    bool is_folder = is_among(attribute, folder_attributes,
                              sizeof folder_attributes / sizeof folder_attributes[0]);
    bool is_file = strncmp(attribute, "file", 4) == 0;
    if ((is_folder || is_file) && !model_guard_stays_inside(value)) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s.xml: found \"%.40s\" of <%.40s> in line %zu leading out of the "
                           "model's folder, expected a model that is one text; leave it out",
                           name, attribute, element->name, element->line);
    }
    return !is_file || failure_set(failure, EXIT_CODE_DATA,
                                   "%s.xml: found \"%.40s\" of <%.40s> in line %zu, expected a "
                                   "model that is one text and needs no files; leave it out",
                                   name, attribute, element->name, element->line);
}

static bool check_model_element(void *context, const struct model_element *element,
                                struct failure *failure)
{
    const char *name = ((const struct guard *)context)->name;
    if (!check_element(name, element, failure)) {
        return false;
    }
    for (const char *const *at = element->attributes; *at; at += 2) {
        if (!check_attribute(name, element, at[0], at[1], failure)) {
            return false;
        }
    }
    return true;
}

bool model_guard_check(const char *name, const char *text, struct failure *failure)
{
    struct guard guard = {.name = name};
    const struct model_visitor visitor = {.open = check_model_element, .context = &guard};
    return model_text_walk(name, text, &visitor, failure);
}
