#include "tests/support/support.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cli/config.h"
#include "cli/config_option.h"
#include "cli/config_value.h"
#include "context/partition.h"

/* A file in a folder of its own for each group of tests. */
static char path[256];

static int open_folder(void **state)
{
    (void)state;
    snprintf(path, sizeof path, "%s/x.yaml", support_scratch_folder());
    return 0;
}

static int remove_folder(void **state)
{
    (void)state;
    unlink(path);
    *strrchr(path, '/') = '\0';
    return rmdir(path);
}

static void write_bytes(const char *bytes, size_t size)
{
    FILE *stream = fopen(path, "wb");
    assert_non_null(stream);
    assert_int_equal(fwrite(bytes, 1, size, stream), size);
    assert_int_equal(fclose(stream), 0);
}

struct reading {
    struct config config;
    struct config_origins origins;
    struct failure failure;
    bool is_read;
};

static struct reading read_bytes(const char *bytes, size_t size)
{
    struct reading reading = {0};
    write_bytes(bytes, size);
    config_defaults(&reading.config, &reading.origins);
    reading.is_read = config_read_file(&reading.config, &reading.origins, path, &reading.failure);
    assert_true(reading.is_read == (reading.failure.code == EXIT_CODE_DONE));
    return reading;
}

static struct reading read_text(const char *text)
{
    return read_bytes(text, strlen(text));
}

static void expect_failure(const struct failure *failure, enum exit_code code, const char *words)
{
    if (failure->code != code || !strstr(failure->text, words) || strchr(failure->text, '\n')) {
        fail_msg("expected %d and \"%s\"; found %d and \"%s\"", (int)code, words,
                 (int)failure->code, failure->text);
    }
}

static void expect_refusal(const char *text, const char *words)
{
    struct reading reading = read_text(text);
    assert_false(reading.is_read);
    expect_failure(&reading.failure, EXIT_CODE_CONFIG, words);
    assert_int_equal(strncmp(reading.failure.text, path, strlen(path)), 0);
}

static void test_file_sets_values_and_origins(void **state)
{
    (void)state;
    struct reading reading = read_text("# a comment\n"
                                       "train:\n"
                                       "  steps: 7 # seven\n"
                                       "  rate: 3e-4\n"
                                       "mesh: {ring: 2, split: contiguous}\n"
                                       "data:\n"
                                       "  store: 'a b.h5'\n");
    assert_true(reading.is_read);
    assert_int_equal(reading.config.train.steps, 7);
    assert_true(reading.config.train.rate == 3e-4);
    assert_int_equal(reading.config.mesh.ring, 2);
    assert_int_equal(reading.config.mesh.split, 1);
    assert_string_equal(reading.config.data.store, "a b.h5");
    assert_int_equal(reading.config.train.contexts, 16);
    char text[512];
    char wanted[512];
    config_describe(text, sizeof text, &reading.config, &reading.origins, CONFIG_OPTION_train_rate);
    snprintf(wanted, sizeof wanted, "train.rate = 0.0003 (%s:4)", path);
    assert_string_equal(text, wanted);
    config_describe(text, sizeof text, &reading.config, &reading.origins, CONFIG_OPTION_train_keep);
    assert_string_equal(text, "train.keep = 2 (default)");
}

static void test_file_without_values_changes_nothing(void **state)
{
    (void)state;
    static const char *const texts[] = {"",
                                        "\n\n",
                                        "# only a comment\n",
                                        "---\n",
                                        "---\n...\n",
                                        "{}",
                                        "train:\n",
                                        "train: {}\n",
                                        "\xef\xbb\xbf",
                                        "train: ~\nmesh: null\n",
                                        "%YAML 1.1\n---\n"};
    struct config defaults;
    struct config_origins origins;
    config_defaults(&defaults, &origins);
    for (size_t i = 0; i < sizeof texts / sizeof *texts; i++) {
        struct reading reading = read_text(texts[i]);
        if (!reading.is_read) {
            fail_msg("%s", reading.failure.text);
        }
        assert_memory_equal(&reading.config, &defaults, sizeof defaults);
    }
}

static void test_file_refuses_unknown_names_with_the_nearest(void **state)
{
    (void)state;
    expect_refusal("train:\n  stepz: 5\n",
                   "x.yaml:2: unknown key train.stepz; the nearest is train.steps");
    expect_refusal("train:\n  layers: 5\n",
                   "unknown key train.layers; the nearest is model.layers");
    expect_refusal("mesh:\n  shard: zigzag\n",
                   "x.yaml:2: unknown key mesh.shard; it is called mesh.split");
    expect_refusal("trian:\n  steps: 5\n", "x.yaml:1: unknown section trian; the nearest is train");
    expect_refusal("steps: 5\n", "unknown section steps; write steps: in a line below train:");
    expect_refusal("train.steps: 5\n", "write steps: in a line below train:");
    expect_refusal("\"train\\n\":\n  steps: 5\n", "unknown section train?");
    expect_refusal("train:\n  \"steps\\0\": 5\n", "unknown key train.steps?");
    expect_refusal("train:\n  <<: 5\n", "unknown key train.<<");
    expect_refusal("train:\n  \"\": 5\n", "unknown key train.;");
}

static void test_file_refuses_duplicates(void **state)
{
    (void)state;
    expect_refusal("train:\n  steps: 5\n  steps: 6\n",
                   "x.yaml:3: train.steps was already given on line 2");
    expect_refusal("train:\n  steps: 5\nmesh:\n  ring: 1\ntrain:\n  rate: 1\n",
                   "x.yaml:5: section train was already given on line 1");
}

static void test_file_refuses_bad_values(void **state)
{
    (void)state;
    expect_refusal("train:\n  rate: 3e-4x\n",
                   "x.yaml:2: train.rate: found \"3e-4x\", expected a number from 0 to 10");
    expect_refusal("train:\n  rate: .nan\n", "found \".nan\"");
    expect_refusal("train:\n  rate: 1e999\n", "found \"1e999\"");
    expect_refusal("train:\n  steps: 0\n", "expected a whole number from 1 to 1000000000");
    expect_refusal("train:\n  steps: -1\n", "found \"-1\"");
    expect_refusal("train:\n  steps: 0x10\n", "found \"0x10\"");
    expect_refusal("train:\n  steps: \"5\"\n", "found text in quotes, expected a whole number");
    expect_refusal("train:\n  steps:\n", "found nothing, expected a whole number");
    expect_refusal("run:\n  name: ~\n", "run.name: found nothing, expected");
    expect_refusal("run:\n  name: null\n", "found nothing");
    expect_refusal("run:\n  name: \"a\\0b\"\n", "found text with a zero byte");
    expect_refusal("run:\n  name: \"a\\nb\"\n", "found \"a?b\"");
    expect_refusal("mesh:\n  split: spiral\n",
                   "found \"spiral\", expected one of zigzag|contiguous");
    expect_refusal("data:\n  normalize: true\n", "expected one of no|yes");
    expect_refusal("train:\n  steps: 5 6\n", "found \"5 6\"");
    expect_refusal("train:\n  steps: 5\n   6\n", "found \"5 6\"");
}

static void test_file_refuses_other_structure(void **state)
{
    (void)state;
    expect_refusal("train: 5\n", "x.yaml:1: train: found a value, expected lines of key: value");
    expect_refusal("5\n", "found a value, expected sections of keys");
    expect_refusal("train:\n  steps: {a: 1}\n", "found nested keys, expected a whole number");
    expect_refusal("train:\n  steps: [1, 2]\n", "x.yaml:2: found a list");
    expect_refusal("- train\n", "found a list");
    expect_refusal("{train: {steps: 5}: 5}", "not YAML");
    expect_refusal("? {train: steps}\n: 5\n", "found a nested key, expected a name");
    expect_refusal("train:\n  ? {a: b}\n  : 5\n", "found a nested key, expected a name");
    expect_refusal("train:\n  ? [a, b]\n  : 5\n", "found a list");
}

static void test_file_refuses_what_refers_elsewhere(void **state)
{
    (void)state;
    expect_refusal("train:\n  steps: &x 5\n", "x.yaml:2: found an anchor");
    expect_refusal("train: &x\n  steps: 5\n", "found an anchor");
    expect_refusal("train:\n  steps: *x\n", "x.yaml:2: found an alias");
    expect_refusal("train:\n  steps: !!int 5\n", "found a tag");
    expect_refusal("train: !!map\n  steps: 5\n", "found a tag");
    expect_refusal("--- \ntrain:\n  steps: 5\n---\ntrain:\n  steps: 6\n",
                   "x.yaml:4: found a second document");
    expect_refusal("train:\n  steps: 5\n...\n---\n", "found a second document");
}

static void test_file_refuses_what_is_not_yaml(void **state)
{
    (void)state;
    expect_refusal("train:\n\tsteps: 5\n", "x.yaml:2: not YAML");
    expect_refusal("train: {steps: 5\n", "not YAML");
    expect_refusal("train:\n  steps: 5\n mesh:\n", "x.yaml:3: not YAML");
    expect_refusal("train:\n  steps: \"5\n", "not YAML");
    expect_refusal("train:\n  steps: 5\n  \x01\n", "x.yaml:3: not YAML");
    expect_refusal("train:\n  rate: 5\n\xff\xff\n", "x.yaml:3: not YAML");
    struct reading reading = read_bytes("train:\n\0steps: 5\n", 17);
    expect_failure(&reading.failure, EXIT_CODE_CONFIG, "not YAML");
}

static void test_file_refuses_large_and_deep_files(void **state)
{
    (void)state;
    size_t size = ((size_t)1 << 20) + 1;
    char *bytes = malloc(size);
    assert_non_null(bytes);
    memset(bytes, '#', size);
    struct reading reading = read_bytes(bytes, size);
    expect_failure(&reading.failure, EXIT_CODE_CONFIG, "found more than 1048576 bytes");
    reading = read_bytes(bytes, size - 1);
    assert_true(reading.is_read);
    static const char openings[] = "[{-?:&*!'\"";
    for (size_t i = 0; i < sizeof openings - 1; i++) {
        memset(bytes, openings[i], 100000);
        reading = read_bytes(bytes, 100000);
        assert_false(reading.is_read);
    }
    free(bytes);
}

static void test_file_that_is_not_there_is_no_input(void **state)
{
    (void)state;
    struct reading reading = {0};
    config_defaults(&reading.config, &reading.origins);
    unlink(path);
    assert_false(config_read_file(&reading.config, &reading.origins, path, &reading.failure));
    expect_failure(&reading.failure, EXIT_CODE_NO_INPUT, "No such file");
    reading.failure = (struct failure){0};
    assert_false(config_read_file(&reading.config, &reading.origins, "/tmp", &reading.failure));
    expect_failure(&reading.failure, EXIT_CODE_NO_INPUT,
                   "/tmp: cannot be opened: not a plain file");
    assert_int_equal(mkfifo(path, 0600), 0);
    reading.failure = (struct failure){0};
    assert_false(config_read_file(&reading.config, &reading.origins, path, &reading.failure));
    expect_failure(&reading.failure, EXIT_CODE_NO_INPUT, "not a plain file");
    unlink(path);
    reading.failure = (struct failure){0};
    assert_false(config_read_file(&reading.config, &reading.origins, "a\nb", &reading.failure));
    expect_failure(&reading.failure, EXIT_CODE_NO_INPUT, "a?b: ");
}

/* Values that are far from their defaults, of every type. */
static struct config unusual(void)
{
    struct config config;
    struct config_origins origins;
    config_defaults(&config, &origins);
    config.run.seed = 9007199254740991;
    config.train.rate = 1.0 / 3.0;
    config.eval.target_margin = -1.2345678901234567e-29;
    config.data.reward_scale = 1e-30;
    config.mesh.split = 1;
    config.data.normalize = CONFIG_NO;
    strcpy(config.run.name, "- \"a\": 'b' \\ #c {d} [e] & * ! % @ ` ~ \xc3\xbc");
    strcpy(config.data.store, " null ");
    strcpy(config.data.task, "null");
    strcpy(config.eval.task, "\xe2\x82\xac\xf0\x9f\x98\x80");
    memset(config.collect.output, '\\', CONFIG_TEXT_SIZE - 1);
    memset(config.eval.checkpoint, '"', CONFIG_TEXT_SIZE - 1);
    return config;
}

static size_t written(char *bytes, size_t size, const struct config *config)
{
    FILE *stream = fmemopen(bytes, size, "w");
    assert_non_null(stream);
    assert_true(config_write(stream, config, ~0u));
    long length = ftell(stream);
    assert_true(length > 0 && (size_t)length < size);
    assert_int_equal(fclose(stream), 0);
    return (size_t)length;
}

static void test_written_config_reads_back_bit_for_bit(void **state)
{
    (void)state;
    char bytes[32768];
    struct config config = unusual();
    struct reading reading = read_bytes(bytes, written(bytes, sizeof bytes, &config));
    if (!reading.is_read) {
        fail_msg("%s", reading.failure.text);
    }
    assert_memory_equal(&reading.config, &config, sizeof config);
    struct config_origins origins;
    config_defaults(&config, &origins);
    reading = read_bytes(bytes, written(bytes, sizeof bytes, &config));
    assert_true(reading.is_read);
    assert_memory_equal(&reading.config, &config, sizeof config);
}

static void test_written_config_names_every_option(void **state)
{
    (void)state;
    char bytes[32768];
    struct config config = unusual();
    struct reading reading = read_bytes(bytes, written(bytes, sizeof bytes, &config));
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        assert_int_equal(reading.origins.options[i].source, CONFIG_FILE);
    }
}

/* A run keeps what it reads; other sections may change without it. */
static void test_written_config_holds_the_named_sections_alone(void **state)
{
    (void)state;
    char bytes[32768];
    struct config config = unusual();
    FILE *stream = fmemopen(bytes, sizeof bytes, "w");
    assert_non_null(stream);
    assert_true(config_write(stream, &config, CONFIG_READS(train) | CONFIG_READS(mesh)));
    long length = ftell(stream);
    assert_int_equal(fclose(stream), 0);
    struct reading reading = read_bytes(bytes, (size_t)length);
    assert_true(reading.is_read);
    assert_int_equal(reading.config.train.steps, config.train.steps);
    assert_int_equal(reading.config.mesh.ring, config.mesh.ring);
    for (size_t i = 0; i < CONFIG_OPTIONS; i++) {
        unsigned section = 1u << config_option_at(i)->section_id;
        bool is_named = (section & (CONFIG_READS(train) | CONFIG_READS(mesh))) != 0;
        assert_int_equal(reading.origins.options[i].source,
                         is_named ? CONFIG_FILE : CONFIG_DEFAULT);
    }
}

static void test_write_reports_a_full_disk(void **state)
{
    (void)state;
    FILE *stream = fopen("/dev/full", "w");
    if (!stream) {
        skip();
    }
    setvbuf(stream, NULL, _IONBF, 0);
    struct config config = unusual();
    assert_false(config_write(stream, &config, ~0u));
    fclose(stream);
}

static void test_config_is_bytes_alone(void **state)
{
    (void)state;
    struct config config = unusual();
    struct config copy;
    memcpy(&copy, &config, sizeof copy);
    memset(&config, 0xff, sizeof config);
    char bytes[32768];
    struct reading reading = read_bytes(bytes, written(bytes, sizeof bytes, &copy));
    assert_true(reading.is_read);
    assert_memory_equal(&reading.config, &copy, sizeof copy);
}

/* Whatever is cut off, replaced or doubled in a file, reading it ends with a value or one line. */
static void test_damaged_files_never_crash(void **state)
{
    (void)state;
    static const char sample[] = "# comment\n"
                                 "run: {name: \"a \\u00e9\", seed: 3}\n"
                                 "data:\n"
                                 "  store: 'it''s.h5' # x\n"
                                 "  task: \"\"\n"
                                 "train:\n"
                                 "  rate: 1.0e-3\n"
                                 "  schedule: constant\n"
                                 "context: {tokens: \"R,s,a\"}\n";
    static const char replacements[] = "\0\x01\t\n \"'#&*!|>%@`{}[],:?-~\xff\xc3\\";
    char bytes[sizeof sample];
    size_t size = sizeof sample - 1;
    size_t read = 0;
    for (size_t i = 0; i < size; i++) {
        struct reading reading = read_bytes(sample, i);
        read += reading.is_read ? 1 : 0;
        assert_null(strchr(reading.failure.text, '\n'));
        for (size_t j = i % 7; j < sizeof replacements - 1; j += 7) {
            memcpy(bytes, sample, size);
            bytes[i] = replacements[j];
            reading = read_bytes(bytes, size);
            assert_null(strchr(reading.failure.text, '\n'));
        }
    }
    assert_true(read > 10);
    assert_true(read < size);
    assert_true(read_bytes(sample, size).is_read);
}

static void test_environment_sets_values_of_its_sections(void **state)
{
    (void)state;
    struct reading reading = {0};
    config_defaults(&reading.config, &reading.origins);
    setenv("CHAINRING_TRAIN_RATE_FLOOR", "0.25", 1);
    setenv("CHAINRING_MODEL_WIDTH", "nonsense", 1);
    setenv("CHAINRING_SOMETHING_ELSE", "x", 1);
    assert_true(config_read_environment(&reading.config, &reading.origins, CONFIG_READS(train),
                                        &reading.failure));
    assert_true(reading.config.train.rate_floor == 0.25);
    char text[512];
    config_describe(text, sizeof text, &reading.config, &reading.origins,
                    CONFIG_OPTION_train_rate_floor);
    assert_string_equal(text, "train.rate_floor = 0.25 (CHAINRING_TRAIN_RATE_FLOOR)");
    assert_false(config_read_environment(&reading.config, &reading.origins, CONFIG_READS(model),
                                         &reading.failure));
    expect_failure(&reading.failure, EXIT_CODE_CONFIG,
                   "CHAINRING_MODEL_WIDTH: found \"nonsense\", expected a whole number");
    unsetenv("CHAINRING_TRAIN_RATE_FLOOR");
    unsetenv("CHAINRING_MODEL_WIDTH");
    unsetenv("CHAINRING_SOMETHING_ELSE");
}

static void test_environment_refuses_unknown_keys(void **state)
{
    (void)state;
    struct reading reading = {0};
    config_defaults(&reading.config, &reading.origins);
    setenv("CHAINRING_TRAIN_STEPZ", "5", 1);
    assert_false(config_read_environment(&reading.config, &reading.origins, CONFIG_READS(train),
                                         &reading.failure));
    unsetenv("CHAINRING_TRAIN_STEPZ");
    expect_failure(&reading.failure, EXIT_CODE_CONFIG,
                   "unknown variable CHAINRING_TRAIN_STEPZ; the nearest is CHAINRING_TRAIN_STEPS");
    reading.failure = (struct failure){0};
    setenv("CHAINRING_MESH_WIRE", "bf16", 1);
    assert_false(config_read_environment(&reading.config, &reading.origins,
                                         CONFIG_READS(mesh) | CONFIG_READS(train),
                                         &reading.failure));
    unsetenv("CHAINRING_MESH_WIRE");
    expect_failure(&reading.failure, EXIT_CODE_CONFIG,
                   "unknown variable CHAINRING_MESH_WIRE; it is called CHAINRING_TRAIN_PRECISION");
}

static void test_changes_are_a_line_for_each_option_of_the_sections(void **state)
{
    (void)state;
    struct config before;
    struct config now;
    struct config_origins origins;
    config_defaults(&before, &origins);
    config_defaults(&now, &origins);
    now.train.rate = 0.01;
    now.mesh.split = PARTITION_CONTIGUOUS;
    now.eval.seed = 7;
    strcpy(now.data.store, "b.h5");
    char text[1024] = "";
    FILE *stream = fmemopen(text, sizeof text, "w");
    assert_non_null(stream);
    config_write_changes(stream, &before, &now,
                         CONFIG_READS(train) | CONFIG_READS(mesh) | CONFIG_READS(data));
    assert_int_equal(fclose(stream), 0);
    assert_string_equal(text, "data.store was \"\", is \"b.h5\" now\n"
                              "mesh.split was zigzag, is contiguous now\n"
                              "train.rate was 0.001, is 0.01 now\n");
}

static void expect_misfit_of(bool (*check)(const struct config *, const struct config_origins *,
                                           struct failure *),
                             const char *text, const char *words)
{
    struct reading reading = read_text(text);
    assert_true(reading.is_read);
    assert_false(check(&reading.config, &reading.origins, &reading.failure));
    expect_failure(&reading.failure, EXIT_CODE_CONFIG, words);
}

static void expect_misfit(const char *text, const char *words)
{
    expect_misfit_of(config_check, text, words);
}

static void test_check_of_chains_names_the_place_of_a_misfit(void **state)
{
    (void)state;
    static const struct {
        const char *text, *words;
    } cases[] = {
        {
            "chain:\n  trials_min: 5\n",
            "x.yaml:2: found chain.trials_min = 5 (",
        },
        {"chain:\n  trials: 2\n  trials_min: 3\n", "expected at most chain.trials = 2 ("},
        {"chain:\n  rewarded_trials: 5\n", "expected at most chain.trials = 4 (default)"},
        {"chain:\n  rewarded_trials: 1\ncontext:\n  tokens: s,a\n",
         "expected 0, or R, r or d in context.tokens = s,a ("},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        expect_misfit_of(config_check_chains, cases[i].text, cases[i].words);
    }
    static const char *const fits[] = {
        "chain:\n  trials_min: 4\n  rewarded_trials: 4\n",
        "chain:\n  rewarded_trials: 1\ncontext:\n  tokens: s+-a+-r\n",
    };
    for (size_t i = 0; i < sizeof fits / sizeof *fits; i++) {
        struct reading reading = read_text(fits[i]);
        assert_true(config_check_chains(&reading.config, &reading.origins, &reading.failure));
    }
}

static void test_check_names_the_place_of_a_misfit(void **state)
{
    (void)state;
    struct reading reading = read_text("");
    assert_true(config_check(&reading.config, &reading.origins, &reading.failure));
    expect_misfit("model:\n  heads: 3\n", "x.yaml:2: found model.heads = 3 (");
    expect_misfit("model:\n  heads: 3\n", "expected a divisor of model.width = 64 (default)");
    expect_misfit("model:\n  width: 63\n", "x.yaml:2: found model.heads = 4 (default), expected");
    expect_misfit("run:\n  name: ../x\n", "x.yaml:2: run.name: ");
    expect_misfit("run:\n  name: ..\n", "x.yaml:2: run.name: ");
    expect_misfit("context:\n  tokens: a,s\n", "x.yaml:2: context.tokens: ");
    expect_misfit("eval:\n\n  explore: often\n", "x.yaml:3: eval.explore: ");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_file_sets_values_and_origins),
        cmocka_unit_test(test_file_without_values_changes_nothing),
        cmocka_unit_test(test_file_refuses_unknown_names_with_the_nearest),
        cmocka_unit_test(test_file_refuses_duplicates),
        cmocka_unit_test(test_file_refuses_bad_values),
        cmocka_unit_test(test_file_refuses_other_structure),
        cmocka_unit_test(test_file_refuses_what_refers_elsewhere),
        cmocka_unit_test(test_file_refuses_what_is_not_yaml),
        cmocka_unit_test(test_file_refuses_large_and_deep_files),
        cmocka_unit_test(test_file_that_is_not_there_is_no_input),
        cmocka_unit_test(test_written_config_reads_back_bit_for_bit),
        cmocka_unit_test(test_written_config_names_every_option),
        cmocka_unit_test(test_written_config_holds_the_named_sections_alone),
        cmocka_unit_test(test_write_reports_a_full_disk),
        cmocka_unit_test(test_config_is_bytes_alone),
        cmocka_unit_test(test_damaged_files_never_crash),
        cmocka_unit_test(test_environment_sets_values_of_its_sections),
        cmocka_unit_test(test_environment_refuses_unknown_keys),
        cmocka_unit_test(test_changes_are_a_line_for_each_option_of_the_sections),
        cmocka_unit_test(test_check_names_the_place_of_a_misfit),
        cmocka_unit_test(test_check_of_chains_names_the_place_of_a_misfit),
    };
    return cmocka_run_group_tests(tests, open_folder, remove_folder);
}
