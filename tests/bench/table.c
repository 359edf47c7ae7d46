/* One declaration of a table gives text and JSON. */
#include "tests/support/support.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench/table.h"

static const struct table_column columns[] = {{"best ms", "best_seconds", 1e3, 2, ""},
                                              {"of peak", NULL, 100.0, 0, "%"},
                                              {NULL, "flops", 1.0, 0, ""}};

static const struct table_row rows[] = {
    {.label = "forward", .key = "forward", .values = {0.0125, 0.5, 3e10}},
    {.label = "ratio", .key = "ratio", .values = {0.25, (double)NAN, (double)NAN}, .scale = 1.0},
};

/* What is printed of a table of the columns and rows above, between a fact and a sentence. */
static void expect_print(enum table_form form, bool is_json, const char *wanted)
{
    char *text = NULL;
    size_t size = 0;
    struct table_printer printer = {.stream = open_memstream(&text, &size), .is_json = is_json};
    struct table table = {.form = form,
                          .title = "",
                          .list_key = "rows",
                          .label_key = form == TABLE_LIST ? "row" : NULL};
    memcpy(table.columns, columns, sizeof columns);
    assert_non_null(printer.stream);
    table_word(&printer, "bench", "example");
    table_number(&printer, "ranks", 2);
    table_print(&printer, &table, rows, 2);
    table_say(&printer, "of %d ranks\n", 2);
    table_finish(&printer);
    fclose(printer.stream);
    assert_string_equal(text, wanted);
    free(text);
}

static void test_text_scales_aligns_and_says(void **state)
{
    (void)state;
    expect_print(TABLE_FLAT, false,
                 "           best ms    of peak\n"
                 "forward      12.50        50%\n"
                 "ratio            0          -\n"
                 "of 2 ranks\n");
}

static void test_json_holds_all_digits_in_each_form(void **state)
{
    (void)state;
    expect_print(TABLE_FLAT, true,
                 "{\"bench\": \"example\", \"ranks\": 2, \"forward_best_seconds\": 0.0125, "
                 "\"forward_flops\": 30000000000, \"ratio_best_seconds\": 0.25, "
                 "\"ratio_flops\": null}\n");
    expect_print(
        TABLE_NESTED, true,
        "{\"bench\": \"example\", \"ranks\": 2, \"forward\": {\"best_seconds\": 0.0125, "
        "\"flops\": 30000000000}, \"ratio\": {\"best_seconds\": 0.25, \"flops\": null}}\n");
    expect_print(TABLE_LIST, true,
                 "{\"bench\": \"example\", \"ranks\": 2, \"rows\": [{\"row\": \"forward\", "
                 "\"best_seconds\": 0.0125, \"flops\": 30000000000}, {\"row\": \"ratio\", "
                 "\"best_seconds\": 0.25, \"flops\": null}]}\n");
}

static void test_nothing_is_printed_without_a_stream(void **state)
{
    (void)state;
    for (int is_json = 0; is_json < 2; is_json++) {
        struct table_printer printer = {.is_json = is_json == 1};
        struct table table = {.title = ""};
        table_number(&printer, "ranks", 2);
        table_print(&printer, &table, rows, 2);
        table_say(&printer, "of %d ranks\n", 2);
        table_finish(&printer);
        assert_false(printer.has_members);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_text_scales_aligns_and_says),
        cmocka_unit_test(test_json_holds_all_digits_in_each_form),
        cmocka_unit_test(test_nothing_is_printed_without_a_stream),
    };
    return cmocka_run_group_tests_name("table", tests, NULL, NULL);
}
