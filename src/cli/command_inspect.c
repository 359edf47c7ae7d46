#include "cli/commands.h"

#include <stdio.h>

#include "cli/task_list.h"
#include "comm/comm.h"
#include "datasets/inspect.h"

static void inspect_file(const struct config *config, const char *path, struct failure *failure)
{
    enum inspect_form form =
        config->inspect.format == CONFIG_FORMAT_JSON ? INSPECT_JSON : INSPECT_TEXT;
    struct store *store = store_open(path, failure);
    if (!store) {
        return;
    }
    if (config->inspect.verify == CONFIG_YES) {
        inspect_verify(stdout, store, form, failure);
    } else {
        inspect_describe(stdout, store, form, failure);
    }
    store_close(store);
}

enum exit_code command_inspect(const struct config *config, const char *subject)
{
    struct failure failure = {0};
    if (comm_rank() == 0 && config->inspect.tasks == CONFIG_YES) {
        task_list_print(stdout, config->inspect.format == CONFIG_FORMAT_JSON, &failure);
    } else if (comm_rank() == 0) {
        inspect_file(config, subject, &failure);
    }
    comm_agree(&failure);
    return EXIT_CODE_DONE;
}
