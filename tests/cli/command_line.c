#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/command_line.h"
#include "cli/command_use.h"
#include "cli/config_option.h"

enum { WORDS_MAX = 16 };

static char folder[128];
static char file[256];     /* a configuration, also that of the run `folder` */
static char training[300]; /* "train FILE", to be continued */

static int open_folder(void **state)
{
    (void)state;
    snprintf(folder, sizeof folder, "%s", support_scratch_folder());
    snprintf(file, sizeof file, "%s/config.yaml", folder);
    snprintf(training, sizeof training, "train %s", file);
    FILE *stream = fopen(file, "w");
    if (!stream) {
        return 1;
    }
    fputs("train:\n  steps: 100\n  warmup: 10\n  keep: 5\nmodel:\n  width: 32\n"
          "chain:\n  window: 5\n  loss: all\neval:\n  explore: 0.25\n",
          stream);
    return fclose(stream);
}

static int remove_folder(void **state)
{
    (void)state;
    return unlink(file) | rmdir(folder);
}

struct parsing {
    struct command_line line;
    struct config config;
    struct failure failure;
    bool is_parsed;
};

/* `start` and `rest` are words with one blank between. */
static struct parsing parse_both(const char *start, const char *rest)
{
    char text[2048];
    char *argv[WORDS_MAX + 1];
    int argc = 0;
    snprintf(text, sizeof text, "chainring %s%s%s", start, rest[0] ? " " : "", rest);
    char *save;
    for (char *word = strtok_r(text, " ", &save); word; word = strtok_r(NULL, " ", &save)) {
        assert_true(argc < WORDS_MAX);
        argv[argc++] = word;
    }
    argv[argc] = NULL;
    struct parsing parsing = {0};
    parsing.is_parsed =
        command_line_parse(&parsing.line, &parsing.config, argc, argv, &parsing.failure);
    assert_true(parsing.is_parsed == (parsing.failure.code == EXIT_CODE_DONE));
    return parsing;
}

static struct parsing parse(const char *text)
{
    return parse_both(text, "");
}

static struct parsing parse_training(const char *rest)
{
    struct parsing parsing = parse_both(training, rest);
    if (!parsing.is_parsed) {
        fail_msg("%s", parsing.failure.text);
    }
    return parsing;
}

static void expect_failure(const struct failure *failure, enum exit_code code, const char *words)
{
    if (failure->code != code || !strstr(failure->text, words) || strchr(failure->text, '\n')) {
        fail_msg("expected %d and \"%s\"; found %d and \"%s\"", (int)code, words,
                 (int)failure->code, failure->text);
    }
}

static void expect_usage(const char *text, const char *words)
{
    struct parsing parsing = parse(text);
    expect_failure(&parsing.failure, EXIT_CODE_USAGE, words);
}

static void expect_training_usage(const char *rest, const char *words)
{
    struct parsing parsing = parse_both(training, rest);
    expect_failure(&parsing.failure, EXIT_CODE_USAGE, words);
}

static void test_later_sources_win(void **state)
{
    (void)state;
    setenv("CHAINRING_TRAIN_WARMUP", "20", 1);
    setenv("CHAINRING_TRAIN_STEPS", "200", 1);
    struct parsing parsing = parse_training("--train.steps=300");
    unsetenv("CHAINRING_TRAIN_WARMUP");
    unsetenv("CHAINRING_TRAIN_STEPS");
    assert_int_equal(parsing.line.action, COMMAND_ACTION_RUN);
    assert_int_equal(parsing.line.command, COMMAND_TRAIN);
    assert_string_equal(parsing.line.positional, file);
    assert_int_equal(parsing.config.train.steps, 300);
    assert_int_equal(parsing.config.train.warmup, 20);
    assert_int_equal(parsing.config.train.keep, 5);
    assert_int_equal(parsing.config.train.contexts, 16);
    char text[128];
    config_describe(text, sizeof text, &parsing.config, &parsing.line.origins,
                    CONFIG_OPTION_train_steps);
    assert_string_equal(text, "train.steps = 300 (command line)");
}

static void test_options_have_four_spellings(void **state)
{
    (void)state;
    static const char *const spellings[] = {"--train.steps=7", "--train.steps 7", "--steps=7",
                                            "--steps 7"};
    for (size_t i = 0; i < sizeof spellings / sizeof *spellings; i++) {
        assert_int_equal(parse_training(spellings[i]).config.train.steps, 7);
    }
    struct parsing parsing = parse_both("train --steps 7", file);
    assert_true(parsing.is_parsed);
    assert_string_equal(parsing.line.positional, file);
    assert_string_equal(parse_training("--data.store=a=b").config.data.store, "a=b");
    assert_string_equal(parse_training("--data.store=").config.data.store, "");
    assert_int_equal(parse_training("--steps=5 --steps=6").config.train.steps, 6);
    assert_true(parse("eval").failure.code == EXIT_CODE_USAGE);
}

static void test_a_key_of_only_one_section_needs_no_section(void **state)
{
    (void)state;
    assert_int_equal(parse_training("--width=96").config.model.width, 96);
    assert_int_equal(parse("bench peak --heads 2").config.model.heads, 2);
    expect_usage("eval x --width=64", "unknown option --width");
    /* eval's options give way to those that are no other command's. */
    struct parsing parsing = parse_training("--task=a --trials=3 --seed=5 --sample=yes");
    assert_true(parsing.is_parsed);
    assert_string_equal(parsing.config.data.task, "a");
    assert_int_equal(parsing.config.chain.trials, 3);
    assert_int_equal(parsing.config.run.seed, 5);
    assert_string_equal(parsing.config.eval.sample, "yes");
    assert_null(config_option_find_only(CONFIG_READS(eval) | CONFIG_READS(run), "seed"));
    assert_non_null(config_option_find_only(CONFIG_READS(eval) | CONFIG_READS(mesh), "seed"));
}

static void test_negative_values_are_values(void **state)
{
    (void)state;
    struct parsing parsing = parse_both("eval --target_margin -5", folder);
    assert_true(parsing.is_parsed);
    assert_true(parsing.config.eval.target_margin == -5.0);
}

static void test_yes_may_be_left_out(void **state)
{
    (void)state;
    assert_int_equal(parse("inspect a.h5").config.inspect.verify, CONFIG_NO);
    assert_int_equal(parse("inspect a.h5 --verify").config.inspect.verify, CONFIG_YES);
    struct parsing parsing = parse("inspect --verify a.h5");
    assert_int_equal(parsing.config.inspect.verify, CONFIG_YES);
    assert_string_equal(parsing.line.positional, "a.h5");
    parsing = parse("inspect --verify no a.h5");
    assert_int_equal(parsing.config.inspect.verify, CONFIG_NO);
    assert_string_equal(parsing.line.positional, "a.h5");
    expect_usage("inspect --verify=maybe a.h5", "--inspect.verify: found \"maybe\"");
    expect_usage("inspect --verify= a.h5", "--inspect.verify: found \"\"");
}

static void test_json_is_enough_where_there_is_a_format(void **state)
{
    (void)state;
    assert_int_equal(parse("inspect a.h5 --json").config.inspect.format, CONFIG_FORMAT_JSON);
    assert_int_equal(parse("bench data --json").config.bench.format, CONFIG_FORMAT_JSON);
    assert_int_equal(parse("inspect a.h5 --json --text").config.inspect.format, CONFIG_FORMAT_TEXT);
    assert_string_equal(parse("inspect --json a.h5").line.positional, "a.h5");
    expect_usage("convert a.zip --json", "unknown option --json");
    expect_usage("inspect a.h5 --jso", "unknown option --jso");
}

static void test_two_hyphens_end_the_options(void **state)
{
    (void)state;
    assert_string_equal(parse("inspect -- --verify").line.positional, "--verify");
    expect_usage("inspect -- a.h5 --", "unexpected argument \"--\"");
}

static void test_bad_options_are_usage(void **state)
{
    (void)state;
    expect_training_usage("--train.stepz=5",
                          "unknown option --train.stepz; the nearest is --train.steps");
    expect_training_usage("--stepz 5", "unknown option --stepz; the nearest is --train.steps");
    expect_training_usage("--train.pass=1",
                          "unknown option --train.pass; it is called --train.micro_batch");
    expect_training_usage("--shard zigzag", "unknown option --shard; it is called --mesh.split");
    expect_training_usage("--train.steps=5x",
                          "--train.steps: found \"5x\", expected a whole number");
    expect_training_usage("--steps=0", "--train.steps: found \"0\"");
    expect_training_usage("--steps", "--train.steps: found no value, expected a whole number");
    expect_training_usage("--steps --rate=1", "--train.steps: found no value");
    expect_training_usage("-s 5", "unknown option -s");
    expect_training_usage("--=5", "unknown option --");
    expect_training_usage("--.=5", "unknown option --.");
    expect_training_usage("--bench.length=5", "train does not read --bench.length");
    expect_training_usage("--step\ns=5", "unknown option --step?s");
    expect_usage("inspect a.h5 --model.width=5", "inspect does not read --model.width");
}

static void test_bad_positionals_are_usage(void **state)
{
    (void)state;
    expect_usage("train", "train: found no CONFIG.yaml; use chainring train CONFIG.yaml");
    expect_usage("inspect --verify", "inspect: found no FILE");
    expect_usage("inspect --tasks=no", "inspect: found no FILE");
    expect_usage("inspect a.h5 --tasks", "found a FILE and --tasks");
    assert_string_equal(parse("inspect --tasks --format=json").line.positional, "");
    expect_training_usage("other.yaml", "unexpected argument \"other.yaml\"");
    char text[600] = "inspect ";
    memset(text + 8, 'x', 512);
    expect_usage(text, "FILE: found 512 bytes, expected 1 to 511");
    char program[] = "chainring";
    char command[] = "inspect";
    char empty[] = "";
    char *argv[] = {program, command, empty, NULL};
    struct parsing parsing = {0};
    assert_false(command_line_parse(&parsing.line, &parsing.config, 3, argv, &parsing.failure));
    expect_failure(&parsing.failure, EXIT_CODE_USAGE, "FILE: found 0 bytes");
}

static void test_bad_commands_are_usage(void **state)
{
    (void)state;
    expect_usage("trian", "unknown command trian; the nearest is train");
    expect_usage("help evil", "unknown command evil; the nearest is eval");
    expect_usage("--steps=5", "unknown command --steps=5");
}

static void test_mistakes_elsewhere_keep_their_codes(void **state)
{
    (void)state;
    struct parsing parsing = parse("train nowhere.yaml");
    expect_failure(&parsing.failure, EXIT_CODE_NO_INPUT, "nowhere.yaml: cannot be opened");
    setenv("CHAINRING_TRAIN_STEPS", "x", 1);
    parsing = parse(training);
    unsetenv("CHAINRING_TRAIN_STEPS");
    expect_failure(&parsing.failure, EXIT_CODE_CONFIG, "CHAINRING_TRAIN_STEPS: found \"x\"");
    parsing = parse_both(training, "--chain.trials_min=5");
    expect_failure(&parsing.failure, EXIT_CODE_USAGE,
                   "command line: found chain.trials_min = 5 (command line), expected at most "
                   "chain.trials = 4 (default)");
    parsing = parse_both("inspect --chains --chain.trials=2 --chain.trials_min=3", file);
    expect_failure(&parsing.failure, EXIT_CODE_USAGE, "expected at most chain.trials = 2 (");
    parsing = parse_both(training, "--model.heads=5");
    expect_failure(&parsing.failure, EXIT_CODE_USAGE,
                   "command line: found model.heads = 5 (command line), expected a divisor of "
                   "model.width = 32 (");
}

static void test_run_is_named_after_its_file(void **state)
{
    (void)state;
    assert_string_equal(parse_training("").config.run.name, "config");
    assert_string_equal(parse_training("--run.name=x").config.run.name, "x");
}

static void test_eval_starts_from_the_run(void **state)
{
    (void)state;
    setenv("CHAINRING_MODEL_WIDTH", "128", 1);
    struct parsing parsing = parse_both("eval --trials=3", folder);
    unsetenv("CHAINRING_MODEL_WIDTH");
    assert_true(parsing.is_parsed);
    assert_string_equal(parsing.line.positional, folder);
    assert_int_equal(parsing.config.model.width, 32);
    assert_int_equal(parsing.config.eval.trials, 3);
    expect_usage("eval x --model.width=64", "eval does not read --model.width");
    parsing = parse("eval nowhere");
    expect_failure(&parsing.failure, EXIT_CODE_NO_INPUT,
                   "nowhere: found no run there, expected the folder of one");
}

/* The run's own configuration may have them: its training read them. */
static void test_eval_refuses_what_it_would_ignore(void **state)
{
    (void)state;
    static const struct {
        const char *options, *words;
    } cases[] = {
        {"--chain.window=5", "eval does not read --chain.window; chainring eval --help lists"},
        {"--window=5", "eval does not read --chain.window; chainring eval --help lists"},
        {"--store=a.h5 --chain.rewarded_trials=1", "eval does not read --chain.rewarded_trials;"},
        {"--chain.trials=2", "eval does not read --chain.trials without --eval.store; leave it"},
        {"--order=random", "eval does not read --chain.order without --eval.store"},
        {"--part=held_out", "eval does not read --eval.part without --eval.store"},
        {"--loss=all", "eval does not read --chain.loss without --eval.store"},
        {"--store=a.h5 --trials=2", "eval does not read --eval.trials with --eval.store; leave"},
        {"--store=a.h5 --explore=0.1", "eval does not read --eval.explore with --eval.store"},
        {"--sample=yes --store=a.h5", "eval does not read --eval.sample with --eval.store"},
        {"--store=a.h5 --target=3", "eval does not read --eval.target with --eval.store"},
    };
    char start[300];
    snprintf(start, sizeof start, "eval %s", folder);
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct parsing parsing = parse_both(start, cases[i].options);
        expect_failure(&parsing.failure, EXIT_CODE_USAGE, cases[i].words);
    }
    struct parsing parsing = parse_both(start, "--store=a.h5 --order=random --chain.trials=2");
    assert_true(parsing.is_parsed);
    assert_int_equal(parsing.config.chain.window, 5);
    assert_true(parse_both(start, "--explore=0.1 --trials=2").is_parsed);
}

static void test_train_reads_how_its_rollouts_are_played(void **state)
{
    (void)state;
    struct parsing parsing = parse_training("--eval.target=3 --eval.explore=0 --eval.trials=2");
    assert_true(parsing.is_parsed);
    assert_string_equal(parsing.config.eval.target, "3");
    assert_string_equal(parsing.config.eval.explore, "0");
    assert_int_equal(parsing.config.eval.trials, 2);
    expect_usage("train x.yaml --eval.contexts=3", "train does not read --eval.contexts;");
    expect_usage("train x.yaml --eval.store=a.h5", "train does not read --eval.store;");
}

static void test_collect_may_do_without_a_file(void **state)
{
    (void)state;
    struct parsing parsing = parse("collect --groups=3");
    assert_true(parsing.is_parsed);
    assert_string_equal(parsing.line.positional, "");
    assert_int_equal(parsing.config.collect.groups, 3);
    assert_true(parse_both("collect", file).is_parsed);
}

static void test_command_line_is_bytes_alone(void **state)
{
    (void)state;
    struct parsing first = parse_training("--data.store=a");
    struct parsing second = parse_training("--data.store=a");
    assert_memory_equal(&first.config, &second.config, sizeof first.config);
    assert_memory_equal(&first.line, &second.line, sizeof first.line);
}

static size_t printed(char *text, size_t size, const struct command_line *line)
{
    FILE *stream = fmemopen(text, size, "w");
    assert_non_null(stream);
    command_line_help(stream, line);
    long length = ftell(stream);
    assert_int_equal(fclose(stream), 0);
    assert_true(length > 0 && (size_t)length < size);
    return (size_t)length;
}

static void test_help_and_version_come_first(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        enum command_action action;
        const char *words;
    } cases[] = {
        {"", COMMAND_ACTION_HELP, "chainring COMMAND"},
        {"help", COMMAND_ACTION_HELP, "inspect"},
        {"--help", COMMAND_ACTION_HELP, "collect"},
        {"--version", COMMAND_ACTION_VERSION, "chainring " CHAINRING_VERSION},
        {"train --version", COMMAND_ACTION_VERSION, CHAINRING_VERSION},
        {"train --help", COMMAND_ACTION_COMMAND_HELP, "chainring train CONFIG.yaml"},
        {"train nowhere.yaml --steps=x -h", COMMAND_ACTION_COMMAND_HELP, "--model.width=64"},
        {"help eval", COMMAND_ACTION_COMMAND_HELP, "--explore=auto"},
        {"collect --help", COMMAND_ACTION_COMMAND_HELP, "collect [CONFIG.yaml]"},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        char text[16384];
        struct parsing parsing = parse(cases[i].text);
        assert_true(parsing.is_parsed);
        assert_int_equal(parsing.line.action, cases[i].action);
        printed(text, sizeof text, &parsing.line);
        if (!strstr(text, cases[i].words)) {
            fail_msg("\"%s\" is not in: %s", cases[i].words, text);
        }
    }
}

static void test_help_lists_every_option_that_a_command_reads(void **state)
{
    (void)state;
    for (size_t i = 0; i < COMMANDS; i++) {
        struct command_line line = {.action = COMMAND_ACTION_COMMAND_HELP, .command = i};
        const struct command_entry *entry = command_line_entry(i);
        const struct config_section *own = config_section_find(entry->name);
        assert_non_null(own);
        char text[16384];
        printed(text, sizeof text, &line);
        for (size_t j = 0; j < CONFIG_OPTIONS; j++) {
            const struct config_option *option = config_option_at(j);
            bool is_own = config_section_at(option->section_id) == own;
            bool is_read = command_use(i, option) != COMMAND_USE_NEVER;
            char wanted[80];
            snprintf(wanted, sizeof wanted, "  --%s=", is_own ? option->key : option->name);
            assert_true((strstr(text, wanted) != NULL) == is_read);
        }
    }
}

/* Each of these words, three at a time: an answer or one line, nothing worse. */
static void test_odd_command_lines_never_crash(void **state)
{
    (void)state;
    static const char *const words[] = {
        "train",   "inspect", "help", "--",  "--help",   "-",          "--verify",
        "--steps", "=",       "--=",  "--.", "--train.", "--.steps=5", "-x",
        "--a.b.c", "5",       "no",   "yes", "--%s%n",   "collect",    "--collect.groups=1"};
    size_t count = sizeof words / sizeof *words;
    size_t parsed = 0;
    for (size_t i = 0; i < count * count * count; i++) {
        char text[256];
        snprintf(text, sizeof text, "%s %s %s", words[i % count], words[i / count % count],
                 words[i / count / count]);
        struct parsing parsing = parse(text);
        parsed += parsing.is_parsed ? 1 : 0;
        assert_null(strchr(parsing.failure.text, '\n'));
    }
    assert_true(parsed > 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_later_sources_win),
        cmocka_unit_test(test_options_have_four_spellings),
        cmocka_unit_test(test_a_key_of_only_one_section_needs_no_section),
        cmocka_unit_test(test_negative_values_are_values),
        cmocka_unit_test(test_yes_may_be_left_out),
        cmocka_unit_test(test_json_is_enough_where_there_is_a_format),
        cmocka_unit_test(test_two_hyphens_end_the_options),
        cmocka_unit_test(test_bad_options_are_usage),
        cmocka_unit_test(test_bad_positionals_are_usage),
        cmocka_unit_test(test_bad_commands_are_usage),
        cmocka_unit_test(test_mistakes_elsewhere_keep_their_codes),
        cmocka_unit_test(test_run_is_named_after_its_file),
        cmocka_unit_test(test_eval_starts_from_the_run),
        cmocka_unit_test(test_eval_refuses_what_it_would_ignore),
        cmocka_unit_test(test_train_reads_how_its_rollouts_are_played),
        cmocka_unit_test(test_collect_may_do_without_a_file),
        cmocka_unit_test(test_command_line_is_bytes_alone),
        cmocka_unit_test(test_help_and_version_come_first),
        cmocka_unit_test(test_help_lists_every_option_that_a_command_reads),
        cmocka_unit_test(test_odd_command_lines_never_crash),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
