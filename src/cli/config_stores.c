#include "cli/config_stores.h"

#include <stdio.h>
#include <string.h>

#include "cli/config_value.h"
#include "eval/recorded.h"

/* How many items a list has, cut at its commas; those beyond items_max are only counted. */
static size_t cut_at_commas(const char **items, size_t items_max, char *list)
{
    size_t count = 0;
    for (char *item = list; item; count++) {
        char *comma = strchr(item, ',');
        if (comma) {
            *comma++ = '\0';
        }
        if (count < items_max) {
            items[count] = item;
        }
        item = comma;
    }
    return count;
}

static bool read_stores(struct config_stores *data, const char *option, const char *list,
                        struct failure *failure)
{
    snprintf(data->paths, sizeof data->paths, "%s", list);
    size_t count = cut_at_commas(data->stores, DATASET_STORES_MAX, data->paths);
    if (count > DATASET_STORES_MAX) {
        return failure_set(failure, EXIT_CODE_CONFIG,
                           "%s: found %zu stores, expected at most %d; join some of them", option,
                           count, DATASET_STORES_MAX);
    }
    for (size_t i = 0; i < count; i++) {
        if (data->stores[i][0] == '\0') {
            return failure_set(failure, EXIT_CODE_CONFIG,
                               "%s: found \"%s\", expected paths of stores, separated by commas",
                               option, list);
        }
    }
    data->options.name = list;
    data->options.stores = data->stores;
    data->options.count = count;
    return true;
}

/* One for each store, or none at all. */
static bool read_weights(struct config_stores *data, const char *list, struct failure *failure)
{
    char text[CONFIG_TEXT_SIZE];
    const char *items[DATASET_STORES_MAX];
    size_t count = data->options.count;
    if (list[0] == '\0') {
        return true;
    }
    snprintf(text, sizeof text, "%s", list);
    bool ok = cut_at_commas(items, DATASET_STORES_MAX, text) == count;
    for (size_t i = 0; ok && i < count; i++) {
        ok = config_value_number(&data->weights[i], items[i]) && data->weights[i] > 0.0;
    }
    data->options.weights = data->weights;
    return ok || failure_set(failure, EXIT_CODE_CONFIG,
                             "data.weights: found \"%s\", expected %zu numbers above 0, separated "
                             "by commas, one for each store",
                             list, count);
}

bool config_stores_of_training(struct config_stores *data, const struct config *config,
                               struct failure *failure)
{
    data->options =
        (struct dataset_options){.task = config->data.task, .holdout = config->data.holdout};
    return read_stores(data, "data.store", config->data.store, failure) &&
           read_weights(data, config->data.weights, failure);
}

bool config_stores_of_eval(struct config_stores *data, const struct config *config,
                           struct failure *failure)
{
    data->options = (struct dataset_options){.task = config->eval.task};
    enum recorded_part part = (enum recorded_part)config->eval.part;
    struct failure reason = {0};
    if (!read_stores(data, "eval.store", config->eval.store, failure)) {
        return false;
    }
    return part == RECORDED_ALL || read_weights(data, config->data.weights, &reason) ||
           failure_set(failure, reason.code, "eval.part: found %s, as of the run's data, but %s",
                       recorded_part_name(part), reason.text);
}
