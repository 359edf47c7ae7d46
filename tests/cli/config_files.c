#include "tests/support/support.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "cli/command_line.h"
#include "cli/config_value.h"

/* The folder of configurations that the program comes with. */
static const char *folder;

static void expect_sound(const char *name)
{
    char path[512];
    snprintf(path, sizeof path, "%s/%s", folder, name);
    struct config config;
    struct command_line line;
    struct failure failure = {0};
    char program[] = "chainring";
    char command[] = "train";
    char *argv[] = {program, command, path, NULL};
    if (!command_line_parse(&line, &config, 3, argv, &failure)) {
        fail_msg("%s", failure.text);
    }
    assert_true(config.data.store[0] != '\0');
    assert_int_equal(strncmp(config.run.name, name, strlen(config.run.name)), 0);
}

static void test_all_config_files_are_sound(void **state)
{
    (void)state;
    size_t files = 0;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
        if (strstr(entry->d_name, ".yaml")) {
            expect_sound(entry->d_name);
            files++;
        }
    }
    closedir(listing);
    assert_true(files >= 5);
}

/* "Config files state only what differs": a line that says the default is noise. */
static void test_config_files_state_only_what_differs(void **state)
{
    (void)state;
    DIR *listing = opendir(folder);
    assert_non_null(listing);
    for (struct dirent *entry = readdir(listing); entry; entry = readdir(listing)) {
        if (!strstr(entry->d_name, ".yaml")) {
            continue;
        }
        char path[512];
        snprintf(path, sizeof path, "%s/%s", folder, entry->d_name);
        struct config defaults;
        struct config config;
        struct config_origins origins;
        struct failure failure = {0};
        config_defaults(&defaults, &origins);
        config_defaults(&config, &origins);
        assert_true(config_read_file(&config, &origins, path, &failure));
        for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
            char initial[CONFIG_TEXT_SIZE];
            char value[CONFIG_TEXT_SIZE];
            config_value_print(initial, &defaults, config_option_at(i));
            config_value_print(value, &config, config_option_at(i));
            bool is_stated = origins.options[i].source == CONFIG_FILE;
            if (is_stated && strcmp(initial, value) == 0) {
                fail_msg("%s:%zu: states the default of %s", path, origins.options[i].line,
                         config_option_at(i)->name);
            }
        }
    }
    closedir(listing);
}

int main(int argc, char **argv)
{
    if (argc != 2) {
        return 2;
    }
    folder = argv[1];
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_all_config_files_are_sound),
        cmocka_unit_test(test_config_files_state_only_what_differs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
