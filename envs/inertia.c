#include "envs/inertia.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "envs/model_text.h"

const char *inertia_rule_name(enum inertia_rule rule)
{
    static const char *const names[INERTIA_RULES] = {
        [INERTIA_EXACT] = "exact",
        [INERTIA_LEGACY] = "legacy",
    };
    return names[rule];
}

struct text {
    char *bytes; /* ends with a zero */
    size_t used, capacity;
};

struct rewriting {
    const char *name;
    const char *source;
    size_t copied; /* bytes of the source that have been dealt with */
    const struct inertia_geoms *geoms;
    int bodies;                     /* seen so far; the world is one */
    int *seen;                      /* (body_count): geoms of each seen so far */
    int path[MODEL_TEXT_DEPTH_MAX]; /* the bodies that are open, the innermost last */
    size_t depth;                   /* of the path; 0: outside the world */
    struct text text;
};

/* --- Text ------------------------------------------------------------------------------------- */

static void text_append(struct text *text, const char *bytes, size_t count)
{
    size_t needed = text->used + count + 1;
    if (needed > text->capacity) {
        text->bytes = memory_grow(text->bytes, text->capacity, 2 * needed, 1);
        text->capacity = 2 * needed;
    }
    if (count > 0) {
        memcpy(text->bytes + text->used, bytes, count);
    }
    text->used += count;
    text->bytes[text->used] = '\0';
}

static void text_append_string(struct text *text, const char *more)
{
    text_append(text, more, strlen(more));
}

/* Seventeen digits give the same double back. */
static void text_append_numbers(struct text *text, const char *attribute, const double *numbers,
                                size_t count)
{
    text_append_string(text, " ");
    text_append_string(text, attribute);
    for (size_t i = 0; i < count; i++) {
        char digits[40];
        (void)snprintf(digits, sizeof digits, "%s%.17g", i == 0 ? "=\"" : " ", numbers[i]);
        text_append_string(text, digits);
    }
    text_append_string(text, "\"");
}

static void text_append_attribute(struct text *text, const char *attribute, const char *value)
{
    text_append_string(text, " ");
    text_append_string(text, attribute);
    text_append_string(text, "=\"");
    for (; *value; value++) {
        switch (*value) {
        case '&':
            text_append_string(text, "&amp;");
            break;
        case '<':
            text_append_string(text, "&lt;");
            break;
        case '"':
            text_append_string(text, "&quot;");
            break;
        default:
            text_append(text, value, 1);
        }
    }
    text_append_string(text, "\"");
}

/* --- The two geoms ---------------------------------------------------------------------------- */

/* By its end points, which no class of the capsule's can override. What the mass follows from is
 * inherited or copied. */
static void append_legacy_cylinder(struct rewriting *rewriting, const struct model_element *capsule,
                                   int geom)
{
    static const char *const copied[] = {"class", "mass", "density", "group"};
    const double *size = rewriting->geoms->size + (ptrdiff_t)3 * geom;
    const double *at = rewriting->geoms->position + (ptrdiff_t)3 * geom;
    const double *q = rewriting->geoms->rotation + (ptrdiff_t)4 * geom;
    const double axis[3] = {2.0 * (q[1] * q[3] + q[0] * q[2]), 2.0 * (q[2] * q[3] - q[0] * q[1]),
                            1.0 - 2.0 * (q[1] * q[1] + q[2] * q[2])};
    double half = size[1] + size[0] / 2.0;
    double ends[6];
    for (size_t i = 0; i < 3; i++) {
        ends[i] = at[i] - half * axis[i];
        ends[3 + i] = at[i] + half * axis[i];
    }
    struct text *text = &rewriting->text;
    text_append_string(text,
                       "<geom type=\"cylinder\" contype=\"0\" conaffinity=\"0\" rgba=\"0 0 0 0\"");
    text_append_numbers(text, "size", size, 1);
    text_append_numbers(text, "fromto", ends, 6);
    for (size_t i = 0; i < sizeof copied / sizeof copied[0]; i++) {
        const char *value = model_element_value(capsule, copied[i]);
        if (value) {
            text_append_attribute(text, copied[i], value);
        }
    }
    text_append_string(text, "/>");
}

static void append_massless_capsule(struct rewriting *rewriting,
                                    const struct model_element *capsule)
{
    struct text *text = &rewriting->text;
    text_append_string(text, "<geom mass=\"0\"");
    for (const char *const *at = capsule->attributes; *at; at += 2) {
        if (strcmp(at[0], "mass") != 0) {
            text_append_attribute(text, at[0], at[1]);
        }
    }
    bool is_closed = rewriting->source[capsule->end - 2] == '/';
    text_append_string(text, is_closed ? "/>" : ">");
}

/* --- The walk --------------------------------------------------------------------------------- */

static bool inertia_refuse(const struct rewriting *rewriting, const struct model_element *element,
                           struct failure *failure)
{
    return failure_set(failure, EXIT_CODE_DATA,
                       "%s.xml: found <%.40s> in line %zu, expected bodies and geoms written out "
                       "one by one in local coordinates, for capsules of legacy inertia; write "
                       "them out or choose exact inertia",
                       rewriting->name, element->name, element->line);
}

/* What may stand in a body without making or moving bodies and geoms. */
static bool is_plain(const char *element)
{
    static const char *const plain[] = {"joint", "freejoint", "inertial",
                                        "site",  "camera",    "light"};
    for (size_t i = 0; i < sizeof plain / sizeof plain[0]; i++) {
        if (strcmp(element, plain[i]) == 0) {
            return true;
        }
    }
    return false;
}

static bool open_body(struct rewriting *rewriting, const struct model_element *element,
                      struct failure *failure)
{
    if (rewriting->bodies == rewriting->geoms->body_count) {
        return inertia_refuse(rewriting, element, failure);
    }
    rewriting->path[rewriting->depth++] = rewriting->bodies++;
    return true;
}

/* MuJoCo numbers the geoms of a body in the order of the text. */
static bool open_geom(struct rewriting *rewriting, const struct model_element *element,
                      struct failure *failure)
{
    const struct inertia_geoms *geoms = rewriting->geoms;
    int body = rewriting->path[rewriting->depth - 1];
    if (rewriting->seen[body] == geoms->body_geoms[body]) {
        return inertia_refuse(rewriting, element, failure);
    }
    int geom = geoms->body_first[body] + rewriting->seen[body]++;
    if (body > 0 && geoms->type[geom] == geoms->capsule) {
        text_append(&rewriting->text, rewriting->source + rewriting->copied,
                    element->begin - rewriting->copied);
        append_legacy_cylinder(rewriting, element, geom);
        append_massless_capsule(rewriting, element);
        rewriting->copied = element->end;
    }
    return true;
}

static bool rewrite_element_start(void *context, const struct model_element *element,
                                  struct failure *failure)
{
    struct rewriting *rewriting = context;
    if (strcmp(element->name, "worldbody") == 0) {
        rewriting->path[rewriting->depth++] = 0;
        return true;
    }
    if (rewriting->depth == 0) {
        const char *coordinates = model_element_value(element, "coordinate");
        return !coordinates || strcmp(coordinates, "local") == 0 ||
               inertia_refuse(rewriting, element, failure);
    }
    if (strcmp(element->name, "body") == 0) {
        return open_body(rewriting, element, failure);
    }
    if (strcmp(element->name, "geom") == 0) {
        return open_geom(rewriting, element, failure);
    }
    return is_plain(element->name) || inertia_refuse(rewriting, element, failure);
}

static void rewrite_element_end(void *context, const char *element)
{
    struct rewriting *rewriting = context;
    if (strcmp(element, "body") == 0 || strcmp(element, "worldbody") == 0) {
        if (rewriting->depth > 0) {
            rewriting->depth--;
        }
    }
}

static bool check_whole(const struct rewriting *rewriting, struct failure *failure)
{
    bool is_whole = rewriting->bodies == rewriting->geoms->body_count;
    for (int body = 0; is_whole && body < rewriting->bodies; body++) {
        is_whole = rewriting->seen[body] == rewriting->geoms->body_geoms[body];
    }
    return is_whole || failure_set(failure, EXIT_CODE_DATA,
                                   "%s.xml: found fewer bodies or geoms than MuJoCo makes of the "
                                   "text, expected all written out, for capsules of legacy "
                                   "inertia; write them out or choose exact inertia",
                                   rewriting->name);
}

char *inertia_legacy_text(const char *name, const char *text, const struct inertia_geoms *geoms,
                          struct failure *failure)
{
    struct rewriting rewriting = {.name = name, .source = text, .geoms = geoms, .bodies = 1};
    rewriting.seen = memory_take((size_t)geoms->body_count, sizeof *rewriting.seen);
    const struct model_visitor visitor = {rewrite_element_start, rewrite_element_end, &rewriting};
    bool is_done =
        model_text_walk(name, text, &visitor, failure) && check_whole(&rewriting, failure);
    memory_free(rewriting.seen);
    if (!is_done) {
        memory_free(rewriting.text.bytes);
        return NULL;
    }
    text_append_string(&rewriting.text, text + rewriting.copied);
    return rewriting.text.bytes;
}
