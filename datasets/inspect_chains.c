#include "datasets/inspect.h"
#include "datasets/report.h"

enum { SHOWN = 8 }; /* episodes, or ranks, of a chain that are printed as text */

/* A chain and its cut over the ring. */
struct sample {
    uint64_t step;
    size_t number; /* of the context within its step */
    struct chain chain;
    struct partition partition;
};

/* --- Text ------------------------------------------------------------------------------------- */

static const struct dataset_store *source_of_sample(const struct dataset *dataset,
                                                    const struct sample *sample)
{
    return &dataset->stores[sample->chain.source];
}

static void print_chains_head(FILE *out, const struct dataset *dataset,
                              const struct inspect_chains_options *options)
{
    static const char *const samplings[] = {"uniform", "return", "history", "best"};
    static const char *const orders[] = {"return", "history", "random"};
    for (size_t i = 0; i < dataset->count; i++) {
        const struct dataset_store *source = &dataset->stores[i];
        fprintf(out, "%s, task %s: %.3g of the chains\n", store_path(source->store),
                store_spec(source->store)->tasks[source->task], source->share);
    }
    fprintf(out, "%zu to %zu trajectories, sampling %s, order %s, seed %llu\n",
            options->sampler.trials_min, options->sampler.trials,
            samplings[options->sampler.sampling], orders[options->sampler.order],
            (unsigned long long)options->seed);
    fprintf(out, "%zu contexts of a step, each on %zu rank%s, %s, %zu tokens of a step\n\n",
            options->contexts, options->ring_size, options->ring_size == 1 ? "" : "s",
            options->split == PARTITION_ZIGZAG ? "zigzag" : "contiguous", options->tokens);
    fprintf(out, "%6s%9s%8s%8s%12s%9s%10s  %s\n", "step", "context", "group", "trials", "target",
            "steps", "tokens", "tokens of each rank");
}

static void print_sample(FILE *out, const struct dataset *dataset,
                         const struct inspect_chains_options *options, const struct sample *sample)
{
    const struct chain *chain = &sample->chain;
    const struct dataset_store *source = source_of_sample(dataset, sample);
    if (dataset->count > 1) {
        fprintf(out, "%s:\n", store_path(source->store));
    }
    fprintf(out, "%6llu%9zu%8lld%8zu%12.6g%9zu%10zu ", (unsigned long long)sample->step,
            sample->number, (long long)store_group(source->store, chain->episodes[0]), chain->count,
            chain->target, chain->steps, chain->steps * options->tokens);
    for (size_t rank = 0; rank < options->ring_size && rank < SHOWN; rank++) {
        fprintf(out, " %zu", sample->partition.shards[rank].row_count * options->tokens);
    }
    fprintf(out, options->ring_size > SHOWN ? " ...\n%15s" : "\n%15s", "");
    for (size_t i = 0; i < chain->count; i++) {
        if (chain->count > SHOWN && i == SHOWN / 2) {
            fprintf(out, " ...");
            i = chain->count - SHOWN / 2;
        }
        fprintf(out, " %zu (%.4g)", chain->episodes[i],
                store_return(source->store, source->task, chain->episodes[i]));
    }
    fprintf(out, "\n");
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *sample_json(const struct dataset *dataset,
                           const struct inspect_chains_options *options,
                           const struct sample *sample)
{
    const struct chain *chain = &sample->chain;
    const struct dataset_store *source = source_of_sample(dataset, sample);
    json_t *returns = json_array();
    json_t *shards = json_array();
    for (size_t i = 0; i < chain->count; i++) {
        double value = store_return(source->store, source->task, chain->episodes[i]);
        json_array_append_new(returns, json_real(value));
    }
    for (size_t rank = 0; rank < options->ring_size; rank++) {
        size_t tokens = sample->partition.shards[rank].row_count * options->tokens;
        json_array_append_new(shards, json_integer((json_int_t)tokens));
    }
    json_t *object = json_object();
    report_count(object, "step", sample->step);
    report_count(object, "context", sample->number);
    report_text(object, "file", store_path(source->store));
    json_object_set_new(object, "group",
                        json_integer(store_group(source->store, chain->episodes[0])));
    report_counts(object, "episodes", chain->episodes, chain->count);
    json_object_set_new(object, "returns", returns);
    report_number(object, "target", chain->target);
    report_count(object, "steps", chain->steps);
    report_count(object, "tokens", chain->steps * options->tokens);
    json_object_set_new(object, "shard_tokens", shards);
    return object;
}

/* --- Public ----------------------------------------------------------------------------------- */

static void draw_sample(struct sample *sample, const struct dataset *dataset,
                        const struct inspect_chains_options *options, size_t index)
{
    sample->step = 1 + index / options->contexts;
    sample->number = index % options->contexts;
    dataset_draw(&sample->chain, dataset, CHAIN_TRAINED, &options->sampler, options->seed,
                 sample->step, sample->number);
    partition_cut(&sample->partition, &sample->chain.steps, 1);
}

bool inspect_chains(FILE *out, const struct dataset *dataset,
                    const struct inspect_chains_options *options, enum inspect_form form,
                    struct failure *failure)
{
    if (!chain_sampler_check(&options->sampler, failure)) {
        return false;
    }
    struct sample sample;
    json_t *chains = json_array();
    partition_open(&sample.partition, options->split, options->ring_size, 1);
    if (form == INSPECT_TEXT) {
        print_chains_head(out, dataset, options);
    }
    for (size_t i = 0; i < options->samples; i++) {
        draw_sample(&sample, dataset, options, i);
        if (form == INSPECT_TEXT) {
            print_sample(out, dataset, options, &sample);
        } else {
            json_array_append_new(chains, sample_json(dataset, options, &sample));
        }
    }
    partition_close(&sample.partition);
    json_t *object = json_object();
    const struct dataset_store *first = &dataset->stores[0];
    report_text(object, "file", store_path(first->store));
    report_text(object, "task", store_spec(first->store)->tasks[first->task]);
    json_object_set_new(object, "chains", chains);
    if (form == INSPECT_JSON) {
        report_json(out, object, REPORT_ALL_DIGITS);
    } else {
        json_decref(object);
    }
    return report_finish(out, failure);
}
