#include "cli/config_option.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/arithmetic.h"
#include "base/nearest.h"
#include "behaviours/planner.h"
#include "context/partition.h"
#include "datasets/chain.h"
#include "datasets/jobs/convert.h"
#include "datasets/loader.h"
#include "envs/inertia.h"
#include "eval/recorded.h"
#include "eval/recording.h"
#include "eval/video.h"
#include "math/activation.h"
#include "math/attention_block.h"
#include "model/kv_ring.h"
#include "optim/schedule.h"
#include "parameters/shape.h"

#define INITIAL_COUNT(value)  .initial = (double)(value)
#define INITIAL_NUMBER(value) .initial = (value)
#define INITIAL_TEXT(value)   .initial_text = (value)
#define INITIAL_CHOICE(value) .initial = (double)(value)

static const struct config_option options[CONFIG_OPTIONS] = {
#define OPTION(section_, key_, type_, unit_, low_, high_, initial_, help_)                         \
    {                                                                                              \
        .id = CONFIG_OPTION_##section_##_##key_,                                                   \
        .section_id = CONFIG_SECTION_##section_,                                                   \
        .section = #section_,                                                                      \
        .key = #key_,                                                                              \
        .name = #section_ "." #key_,                                                               \
        .type = CONFIG_TYPE_##type_,                                                               \
        .unit = unit_,                                                                             \
        .low = (double)(low_),                                                                     \
        .high = (double)(high_),                                                                   \
        INITIAL_##type_(initial_),                                                                 \
        .help = help_,                                                                             \
        .offset = offsetof(struct config, section_.key_),                                          \
    },
#include "cli/options.def"
};

static const struct config_section section_table[CONFIG_SECTIONS] = {
#define SECTION(section_, help_) {.name = #section_, .help = help_},
#include "cli/options.def"
};

/* What earlier versions called an option. */
static const struct {
    const char *section, *key;
    enum config_option_id now;
} renamed[] = {
#define RENAMED(section_, key_, now_) {#section_, #key_, CONFIG_OPTION_##now_},
#include "cli/options.def"
};

/* The most that a wrong section counts: a key that fits tells more. */
static const size_t section_distance_max = 2;

const struct config_option *config_option_at(enum config_option_id id)
{
    invariant(id < CONFIG_OPTIONS);
    return &options[id];
}

const struct config_section *config_section_at(enum config_section_id id)
{
    invariant(id < CONFIG_SECTIONS);
    return &section_table[id];
}

const struct config_option *config_option_find(const char *section, const char *key)
{
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        if (strcmp(options[i].section, section) == 0 && strcmp(options[i].key, key) == 0) {
            return &options[i];
        }
    }
    return NULL;
}

const struct config_option *config_option_find_only(unsigned sections, const char *key)
{
    const struct config_option *only = NULL;
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        if (sections & (1u << options[i].section_id) && strcmp(options[i].key, key) == 0) {
            if (only) {
                return NULL;
            }
            only = &options[i];
        }
    }
    return only;
}

const struct config_section *config_section_find(const char *name)
{
    for (size_t i = 0; i < CONFIG_SECTIONS; i++) {
        if (strcmp(section_table[i].name, name) == 0) {
            return &section_table[i];
        }
    }
    return NULL;
}

static const struct config_option *find_nearest(const char *section, const char *key,
                                                unsigned sections)
{
    const struct config_option *nearest = NULL;
    size_t nearest_distance = SIZE_MAX;
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        const struct config_option *option = &options[i];
        if (!(sections & (1u << option->section_id))) {
            continue;
        }
        size_t distance = nearest_edits(key, option->key) +
                          size_min(nearest_edits(section, option->section), section_distance_max);
        if (distance < nearest_distance) {
            nearest = option;
            nearest_distance = distance;
        }
    }
    return nearest;
}

const struct config_option *config_option_suggest(const char **why, const char *section,
                                                  const char *key, unsigned sections)
{
    for (size_t i = 0; i < sizeof renamed / sizeof renamed[0]; i++) {
        const struct config_option *now = &options[renamed[i].now];
        if (sections & (1u << now->section_id) && strcmp(renamed[i].key, key) == 0 &&
            (section[0] == '\0' || strcmp(renamed[i].section, section) == 0)) {
            *why = "it is called";
            return now;
        }
    }
    *why = "the nearest is";
    return find_nearest(section, key, sections);
}

const struct config_section *config_section_nearest(const char *name)
{
    const struct config_section *nearest = &section_table[0];
    for (size_t i = 1; i < CONFIG_SECTIONS; i++) {
        const struct config_section *section = &section_table[i];
        if (nearest_edits(name, section->name) < nearest_edits(name, nearest->name)) {
            nearest = section;
        }
    }
    return nearest;
}

void config_option_environment(char *name, size_t size, const struct config_option *option)
{
    snprintf(name, size, "CHAINRING_%s_%s", option->section, option->key);
    for (char *letter = name; *letter; letter++) {
        if (*letter >= 'a' && *letter <= 'z') {
            *letter = (char)(*letter - 'a' + 'A');
        }
    }
}
