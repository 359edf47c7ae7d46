#include "bench/balance.h"

#include "base/memory.h"
#include "bench/subject.h"
#include "comm/comm.h"

static void count_hops(struct bench_balance *balance, struct bench_subject *subject)
{
    for (size_t hop = 0; hop < balance->hops; hop++) {
        double scores = (double)ring_attention_scores(&subject->attention, &subject->batch, hop);
        balance->all += scores;
        balance->most[hop] = scores;
        balance->least[hop] = -scores;
    }
    comm_sum_double(&balance->all, 1);
    comm_max_double(balance->most, balance->hops);
    comm_max_double(balance->least, balance->hops);
    for (size_t hop = 0; hop < balance->hops; hop++) {
        balance->least[hop] = -balance->least[hop];
    }
}

void bench_balance_open(struct bench_balance *balance,
                        const struct bench_attention_options *options, enum partition_rule rule)
{
    struct bench_attention_options cut = *options;
    cut.rule = rule;
    struct ring *ring = ring_open(comm_size(), options->neighbours);
    struct bench_subject subject;
    struct workers *workers = bench_workers_open(options->threads);
    bench_subject_open(&subject, &cut, ring, workers);
    *balance = (struct bench_balance){
        .hops = comm_size(),
        .least = memory_take(comm_size(), sizeof(double)),
        .most = memory_take(comm_size(), sizeof(double)),
    };
    count_hops(balance, &subject);
    bench_subject_close(&subject);
    workers_close(workers);
    ring_close(ring);
}

void bench_balance_close(struct bench_balance *balance)
{
    memory_free(balance->least);
    memory_free(balance->most);
}

double bench_balance_efficiency(const struct bench_balance *balance)
{
    double busiest = 0.0;
    for (size_t hop = 0; hop < balance->hops; hop++) {
        busiest += balance->most[hop];
    }
    return balance->all / ((double)balance->hops * busiest);
}

/* --- Saying ----------------------------------------------------------------------------------- */

static void print_line(FILE *stream, size_t hop, const struct bench_balance *zigzag,
                       const struct bench_balance *contiguous)
{
    double zigzag_share = 100.0 / zigzag->all;
    double contiguous_share = 100.0 / contiguous->all;
    fprintf(stream, "hop %-6zu %9.2f%% %9.2f%% %11.2f%% %9.2f%%\n", hop,
            zigzag_share * zigzag->least[hop], zigzag_share * zigzag->most[hop],
            contiguous_share * contiguous->least[hop], contiguous_share * contiguous->most[hop]);
}

void bench_balance_print_text(FILE *stream, const struct bench_balance *zigzag,
                              const struct bench_balance *contiguous)
{
    double balanced = bench_balance_efficiency(zigzag);
    double plain = bench_balance_efficiency(contiguous);
    double ranks = (double)zigzag->hops;
    fprintf(stream,
            "\nscores counted for each rank and hop, of all (%.2f%% where they are even)\n"
            "%-10s %10s %10s %12s\n%-10s %10s %10s %12s %10s\n",
            100.0 / (ranks * ranks), "", "zigzag", "", "contiguous", "", "least", "most", "least",
            "most");
    for (size_t hop = 0; hop < zigzag->hops; hop++) {
        print_line(stream, hop, zigzag, contiguous);
    }
    fprintf(
        stream,
        "ranks compute %.1f%% of the time by zigzag, %.1f%% contiguous: zigzag is %.2f times as "
        "fast\n",
        100.0 * balanced, 100.0 * plain, balanced / plain * contiguous->all / zigzag->all);
}

static void print_json_hops(FILE *stream, const char *name, const double *scores, size_t hops)
{
    fprintf(stream, "\"%s\": [", name);
    for (size_t hop = 0; hop < hops; hop++) {
        fprintf(stream, "%s%.9g", hop > 0 ? ", " : "", scores[hop]);
    }
    fprintf(stream, "]");
}

static void print_json_rule(FILE *stream, const char *name, const struct bench_balance *balance)
{
    fprintf(stream, "\"%s\": {\"scores\": %.9g, \"efficiency\": %.4g, ", name, balance->all,
            bench_balance_efficiency(balance));
    print_json_hops(stream, "least", balance->least, balance->hops);
    fprintf(stream, ", ");
    print_json_hops(stream, "most", balance->most, balance->hops);
    fprintf(stream, "}");
}

void bench_balance_print_json(FILE *stream, const struct bench_balance *zigzag,
                              const struct bench_balance *contiguous)
{
    print_json_rule(stream, "zigzag", zigzag);
    fprintf(stream, ", ");
    print_json_rule(stream, "contiguous", contiguous);
}
