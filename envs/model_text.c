#include "envs/model_text.h"

#include <string.h>

#include <expat.h>

struct walk {
    const char *name;
    const struct model_visitor *visitor;
    XML_Parser parser;
    size_t depth; /* of the next element; the root's is 0 */
    struct failure *failure;
    bool is_refused; /* the failure has been set */
};

const char *model_element_value(const struct model_element *element, const char *attribute)
{
    for (const char *const *at = element->attributes; *at; at += 2) {
        if (strcmp(at[0], attribute) == 0) {
            return at[1];
        }
    }
    return NULL;
}

static void stop_walk(struct walk *walk)
{
    walk->is_refused = true;
    (void)XML_StopParser(walk->parser, XML_FALSE);
}

static void XMLCALL on_element_start(void *context, const XML_Char *name,
                                     const XML_Char **attributes)
{
    struct walk *walk = context;
    size_t begin = (size_t)XML_GetCurrentByteIndex(walk->parser);
    struct model_element element = {
        .name = name,
        .attributes = attributes,
        .line = (size_t)XML_GetCurrentLineNumber(walk->parser),
        .begin = begin,
        .end = begin + (size_t)XML_GetCurrentByteCount(walk->parser),
    };
    if (walk->depth == MODEL_TEXT_DEPTH_MAX) {
        failure_set(walk->failure, EXIT_CODE_DATA,
                    "%s.xml: found \"more than %d elements inside each other\" in line %zu, "
                    "expected fewer; correct the file",
                    walk->name, MODEL_TEXT_DEPTH_MAX, element.line);
        stop_walk(walk);
        return;
    }
    walk->depth++;
    if (!walk->visitor->open(walk->visitor->context, &element, walk->failure)) {
        stop_walk(walk);
    }
}

static void XMLCALL on_element_end(void *context, const XML_Char *name)
{
    struct walk *walk = context;
    walk->depth--;
    if (walk->visitor->close && !walk->is_refused) {
        walk->visitor->close(walk->visitor->context, name);
    }
}

static void XMLCALL refuse_document_type(void *context, const XML_Char *name,
                                         const XML_Char *system, const XML_Char *public,
                                         int has_subset)
{
    struct walk *walk = context;
    (void)name, (void)system, (void)public, (void)has_subset;
    failure_set(walk->failure, EXIT_CODE_DATA,
                "%s.xml: found \"<!DOCTYPE\" in line %zu, expected a model without a document type "
                "and entities of its own; write out what they stand for",
                walk->name, (size_t)XML_GetCurrentLineNumber(walk->parser));
    stop_walk(walk);
}

bool model_text_walk(const char *name, const char *text, const struct model_visitor *visitor,
                     struct failure *failure)
{
    if (strnlen(text, (size_t)MODEL_TEXT_BYTES_MAX + 1) > MODEL_TEXT_BYTES_MAX) {
        return failure_set(failure, EXIT_CODE_DATA,
                           "%s.xml: found \"more than %d bytes\", expected a smaller model; leave "
                           "out what has no effect on the simulation",
                           name, MODEL_TEXT_BYTES_MAX);
    }
    struct walk walk = {.name = name, .visitor = visitor, .failure = failure};
    walk.parser = XML_ParserCreate("UTF-8");
    if (!walk.parser) {
        fatal(EXIT_CODE_SYSTEM, "out of memory: the system refused room to read %s.xml", name);
    }
    XML_SetUserData(walk.parser, &walk);
    XML_SetElementHandler(walk.parser, on_element_start, on_element_end);
    XML_SetStartDoctypeDeclHandler(walk.parser, refuse_document_type);
    bool is_whole = XML_Parse(walk.parser, text, (int)strlen(text), XML_TRUE) == XML_STATUS_OK;
    if (!is_whole && !walk.is_refused) {
        failure_set(failure, EXIT_CODE_DATA,
                    "%s.xml: found \"%s\" in line %zu, expected well-formed XML; correct the file",
                    name, XML_ErrorString(XML_GetErrorCode(walk.parser)),
                    (size_t)XML_GetCurrentLineNumber(walk.parser));
    }
    XML_ParserFree(walk.parser);
    return is_whole;
}
