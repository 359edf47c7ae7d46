#include "tests/checkpoint/example.h"

#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "checkpoint/safetensors.h"

/* A file with this header and `data` zero bytes behind it; `length` is what the file claims. */
static const char *craft(const char *folder, const char *header, uint64_t length, size_t data)
{
    size_t size = strlen(header);
    char *bytes = memory_take(8 + size + data, 1);
    memcpy(bytes, &length, 8);
    memcpy(bytes + 8, header, size);
    const char *path = example_path(folder, "file");
    example_write(path, bytes, 8 + size + data);
    memory_free(bytes);
    return path;
}

static void expect_refused(const char *path, const char *words)
{
    struct failure failure = {0};
    float numbers[4] = {1.0F, 2.0F, 3.0F, 4.0F};
    const float before[4] = {1.0F, 2.0F, 3.0F, 4.0F};
    struct named_tensor tensors[2] = {
        named_tensor_of("a", numbers, 1, 2),
        named_tensor_of("b", numbers + 2, 1, 2),
    };
    example_expect_failure(safetensors_read(path, tensors, 2, &failure), &failure, EXIT_CODE_DATA,
                           words);
    assert_non_null(strstr(failure.text, path));
    assert_memory_equal(numbers, before, sizeof before);
}

static void expect_header_refused(const char *folder, const char *header, const char *words)
{
    expect_refused(craft(folder, header, strlen(header), 16), words);
}

#define A "\"a\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8]}"
#define B "\"b\":{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}"

static void test_good_header_is_read(void **state)
{
    struct failure failure = {0};
    static const char header[] = "{" A "," B "}   ";
    float numbers[4];
    struct named_tensor tensors[2] = {
        named_tensor_of("a", numbers, 1, 2),
        named_tensor_of("b", numbers + 2, 1, 2),
    };
    assert_true(safetensors_read(craft(*state, header, strlen(header), 16), tensors, 2, &failure));
}

static void test_headers_with_wrong_lengths_are_refused(void **state)
{
    static const char header[] = "{" A "," B "}";
    static const uint64_t lengths[] = {
        0, 1, 1000, (uint64_t)16 << 20, (uint64_t)1 << 40, UINT64_MAX, UINT64_MAX - 7};
    for (size_t i = 0; i < sizeof lengths / sizeof *lengths; i++) {
        expect_refused(craft(*state, header, lengths[i], 16), "found a header of");
    }
    expect_refused(craft(*state, header, strlen(header) - 1, 17), "no valid JSON");
    expect_refused(craft(*state, header, strlen(header) + 1, 16), "no valid JSON");
    expect_refused(craft(*state, header, strlen(header), 15), "found 15 bytes of numbers");
    expect_refused(craft(*state, header, strlen(header), 17), "found 17 bytes of numbers");
    example_write(example_path(*state, "file"), "\1\0\0", 3);
    expect_refused(example_path(*state, "file"), "found 3 bytes");
    example_write(example_path(*state, "file"), "", 0);
    expect_refused(example_path(*state, "file"), "found 0 bytes");
}

static void test_headers_that_are_no_object_are_refused(void **state)
{
    expect_header_refused(*state, "[1,2,3]", "does not begin with '{'");
    expect_header_refused(*state, " {" A "," B "}", "does not begin with '{'");
    expect_header_refused(*state, "{" A "," B "} {}", "no valid JSON");
    expect_header_refused(*state, "{\xff\xfe}", "no valid JSON");
    expect_header_refused(*state, "{" A "," A "}", "no valid JSON");
    expect_header_refused(*state, "{\"a\nb\":\"c\n", "no valid JSON");
    char *deep = memory_take(100001, 1);
    memset(deep, '[', 100000);
    memcpy(deep, "{\"a\":", 5);
    expect_header_refused(*state, deep, "no valid JSON");
    memory_free(deep);
}

/* Headers with `b` as it should be and another `a`. */
static void expect_entry_refused(const char *folder, const char *entry, const char *words)
{
    char header[512];
    snprintf(header, sizeof header, "{\"a\":%s," B "}", entry);
    expect_header_refused(folder, header, words);
}

static void test_entries_that_are_no_matrix_are_refused(void **state)
{
    static const char *const shapes[] = {"[1]",       "[]",      "[1,1,2]",  "[-1,-2]",
                                         "[1,\"2\"]", "[1.0,2]", "[1,[]]",   "[1e0,2]",
                                         "null",      "2",       "{\"1\":2}"};
    for (size_t i = 0; i < sizeof shapes / sizeof *shapes; i++) {
        char entry[256];
        snprintf(entry, sizeof entry, "{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,8]}",
                 shapes[i]);
        expect_entry_refused(*state, entry, "a has a shape that is not two counts");
    }
    static const char *const broken[] = {"[NaN,2]", "[1,nan]", "[99999999999999999999,2]",
                                         "[1,Infinity]"};
    for (size_t i = 0; i < sizeof broken / sizeof *broken; i++) {
        char entry[256];
        snprintf(entry, sizeof entry, "{\"dtype\":\"F32\",\"shape\":%s,\"data_offsets\":[0,8]}",
                 broken[i]);
        expect_entry_refused(*state, entry, "no valid JSON");
    }
}

static void test_entries_of_other_kinds_are_refused(void **state)
{
    expect_entry_refused(*state, "null", "a is no entry");
    expect_entry_refused(*state, "[]", "a is no entry");
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,2]}", "a is no entry");
    expect_entry_refused(*state,
                         "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8],\"more\":1}",
                         "a is no entry");
    expect_entry_refused(*state, "{\"dtype\":4,\"shape\":[1,2],\"data_offsets\":[0,8]}",
                         "a is no entry");
    expect_entry_refused(*state, "{\"dtype\":\"F64\",\"shape\":[1,1],\"data_offsets\":[0,8]}",
                         "a has another type");
}

static void test_offsets_that_do_not_fit_are_refused(void **state)
{
    static const char *const offsets[] = {
        "[8,0]", "[0,7]", "[0,4]", "[0,16]", "[0,9223372036854775807]", "[9223372036854775807,8]"};
    for (size_t i = 0; i < sizeof offsets / sizeof *offsets; i++) {
        char entry[256];
        snprintf(entry, sizeof entry, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":%s}",
                 offsets[i]);
        expect_entry_refused(*state, entry, "a has data_offsets that do not fit its shape");
    }
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[-8,0]}",
                         "a has data_offsets that are not two counts");
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[0,8,8]}",
                         "a has data_offsets that are not two counts");
    expect_entry_refused(
        *state, "{\"dtype\":\"F32\",\"shape\":[4611686018427387904,4],\"data_offsets\":[0,0]}",
        "a has data_offsets that do not fit its shape");
    expect_entry_refused(
        *state, "{\"dtype\":\"F32\",\"shape\":[2305843009213693952,2],\"data_offsets\":[0,0]}",
        "a has data_offsets that do not fit its shape");
}

static void test_overlaps_and_holes_are_refused(void **state)
{
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[8,16]}",
                         "overlaps another tensor or leaves a hole");
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[4,12]}",
                         "overlaps another tensor or leaves a hole");
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,1],\"data_offsets\":[0,4]}",
                         "overlaps another tensor or leaves a hole");
    expect_entry_refused(*state, "{\"dtype\":\"F32\",\"shape\":[1,2],\"data_offsets\":[16,24]}",
                         "overlaps another tensor or leaves a hole");
}

static void test_metadata_must_be_texts(void **state)
{
    expect_header_refused(*state, "{\"__metadata__\":{\"x\":1}," A "," B "}",
                          "__metadata__ is not an object of texts");
    expect_header_refused(*state, "{\"__metadata__\":[]," A "," B "}",
                          "__metadata__ is not an object of texts");
}

static void test_names_cannot_break_the_message(void **state)
{
    expect_header_refused(*state,
                          "{" A "," B ",\"evil\\n\\u001b[31m\":{\"dtype\":\"F32\",\"shape\":[0,0],"
                          "\"data_offsets\":[16,16]}}",
                          "found evil??[31m, expected no tensor of this name");
    char header[8192];
    char name[7001];
    memset(name, 'n', 7000);
    name[7000] = '\0';
    snprintf(header, sizeof header,
             "{" A "," B ",\"%s\":{\"dtype\":\"F32\",\"shape\":[0,0],\"data_offsets\":[16,16]}}",
             name);
    expect_header_refused(*state, header, "expected no tensor of this name; ");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, example_setup, example_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_good_header_is_read),
        TEST(test_headers_with_wrong_lengths_are_refused),
        TEST(test_headers_that_are_no_object_are_refused),
        TEST(test_entries_that_are_no_matrix_are_refused),
        TEST(test_entries_of_other_kinds_are_refused),
        TEST(test_offsets_that_do_not_fit_are_refused),
        TEST(test_overlaps_and_holes_are_refused),
        TEST(test_metadata_must_be_texts),
        TEST(test_names_cannot_break_the_message),
    };
#undef TEST
    return cmocka_run_group_tests(tests, NULL, NULL);
}
