/* chainring COMMAND: rank 0 reads what the user wants, all ranks do it. */
#include <stdio.h>

#include "base/subnormal.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "comm/comm.h"
#include "math/gemm.h"

/* What rank 0 has read, for all ranks; plain data. */
struct wish {
    struct command_line line;
    struct config config;
};

static void read_wish(struct wish *wish, int argc, char **argv)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        command_line_parse(&wish->line, &wish->config, argc, argv, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(wish, sizeof *wish);
}

static enum exit_code run(const struct wish *wish)
{
    const char *subject = wish->line.positional;
    if (wish->line.action != COMMAND_ACTION_RUN) {
        if (comm_rank() == 0) {
            command_line_help(stdout, &wish->line);
        }
        return EXIT_CODE_DONE;
    }
    switch (wish->line.command) {
    case COMMAND_TRAIN:
        return command_train(&wish->config, subject);
    case COMMAND_EVAL:
        return command_eval(&wish->config, subject);
    case COMMAND_COLLECT:
        return command_collect(&wish->config, subject);
    case COMMAND_CONVERT:
        return command_convert(&wish->config, subject);
    case COMMAND_INSPECT:
        return command_inspect(&wish->config, subject);
    case COMMAND_BENCH:
        return command_bench(&wish->config, subject);
    case COMMAND_RENDER:
        return command_render(&wish->config, subject);
    case COMMANDS:
        break;
    }
    invariant(wish->line.command < COMMANDS);
    return EXIT_CODE_BUG;
}

int main(int argc, char **argv)
{
    static struct wish wish;
    gemm_choose_core(argv);
    subnormal_flush();
    comm_start(&argc, &argv);
    read_wish(&wish, argc, argv);
    enum exit_code code = run(&wish);
    comm_stop();
    return (int)code;
}
