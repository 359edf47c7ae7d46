#include "bench/load_balance.h"

#include "base/memory.h"
#include "bench/fixture.h"
#include "comm/comm.h"

void load_balance_open(struct load_balance *balance, const struct bench_options *options,
                       enum partition_rule rule)
{
    size_t steps = comm_size();
    *balance = (struct load_balance){
        .steps = steps,
        .least = memory_take(steps, sizeof(double)),
        .most = memory_take(steps, sizeof(double)),
    };
    struct bench_options by_rule = *options;
    by_rule.learner.split = rule;
    struct attention_fixture fixture;
    struct workers *workers = fixture_workers(options->threads);
    attention_fixture_open(&fixture, &by_rule, comm_size(), workers);
    for (size_t i = 0; i < steps; i++) {
        double scores = (double)ring_attention_scores(&fixture.attention, &fixture.batch, i);
        balance->all += scores;
        balance->most[i] = scores;
        balance->least[i] = -scores;
    }
    comm_sum_double(&balance->all, 1);
    comm_max_double(balance->most, steps);
    comm_max_double(balance->least, steps);
    for (size_t i = 0; i < steps; i++) {
        balance->least[i] = -balance->least[i];
    }
    attention_fixture_close(&fixture);
    workers_close(workers);
}

void load_balance_close(struct load_balance *balance)
{
    memory_free(balance->least);
    memory_free(balance->most);
}

double load_balance_efficiency(const struct load_balance *balance)
{
    double busiest = 0.0;
    for (size_t i = 0; i < balance->steps; i++) {
        busiest += balance->most[i];
    }
    return balance->all / ((double)balance->steps * busiest);
}

static void load_balance_print_steps(struct table_printer *printer,
                                     const struct load_balance *zigzag,
                                     const struct load_balance *contiguous)
{
    static const struct table table = {
        .form = TABLE_LIST,
        .list_key = "ring_steps",
        .columns = {{"ring step", "ring_step", 1.0, 0, ""},
                    {"zigzag least", NULL, 100.0, 2, "%"},
                    {"zigzag most", NULL, 100.0, 2, "%"},
                    {"contiguous least", NULL, 100.0, 2, "%"},
                    {"contiguous most", NULL, 100.0, 2, "%"},
                    {NULL, "zigzag_least", 1.0, 0, ""},
                    {NULL, "zigzag_most", 1.0, 0, ""},
                    {NULL, "contiguous_least", 1.0, 0, ""},
                    {NULL, "contiguous_most", 1.0, 0, ""}},
    };
    struct table_row *rows = memory_take(zigzag->steps, sizeof *rows);
    for (size_t i = 0; i < zigzag->steps; i++) {
        rows[i] = (struct table_row){
            .label = "",
            .values = {(double)i, zigzag->least[i] / zigzag->all, zigzag->most[i] / zigzag->all,
                       contiguous->least[i] / contiguous->all,
                       contiguous->most[i] / contiguous->all, zigzag->least[i], zigzag->most[i],
                       contiguous->least[i], contiguous->most[i]},
        };
    }
    table_print(printer, &table, rows, zigzag->steps);
    memory_free(rows);
}

void load_balance_print(struct table_printer *printer, const struct load_balance *zigzag,
                        const struct load_balance *contiguous)
{
    double balanced = load_balance_efficiency(zigzag);
    double plain = load_balance_efficiency(contiguous);
    double ranks = (double)zigzag->steps;
    table_number(printer, "zigzag_scores", zigzag->all);
    table_number(printer, "zigzag_efficiency", balanced);
    table_number(printer, "contiguous_scores", contiguous->all);
    table_number(printer, "contiguous_efficiency", plain);
    table_say(printer,
              "\nscores counted for each rank and ring step, of all (%.2f%% where they are even)\n",
              100.0 / (ranks * ranks));
    load_balance_print_steps(printer, zigzag, contiguous);
    table_say(printer,
              "ranks compute %.1f%% of the time by zigzag, %.1f%% contiguous: zigzag is %.2f times "
              "as fast\n",
              100.0 * balanced, 100.0 * plain, balanced / plain * contiguous->all / zigzag->all);
}
