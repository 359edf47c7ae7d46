/* chainring COMMAND: rank 0 reads the request, all ranks carry it out. */
#include <signal.h>
#include <stdio.h>

#include "base/floating_point.h"
#include "cli/command_line.h"
#include "cli/commands.h"
#include "comm/comm.h"
#include "math/gemm.h"

/* What the user asked for, as rank 0 has read it; plain data. */
struct request {
    struct command_line line;
    struct config config;
};

static void read_request(struct request *request, int argc, char **argv)
{
    struct failure failure = {0};
    if (comm_rank() == 0) {
        command_line_parse(&request->line, &request->config, argc, argv, &failure);
    }
    comm_agree(&failure);
    comm_broadcast(request, sizeof *request);
}

static enum exit_code run_command(const struct request *request)
{
    const char *subject = request->line.positional;
    if (request->line.action != COMMAND_ACTION_RUN) {
        if (comm_rank() == 0) {
            command_line_help(stdout, &request->line);
        }
        return EXIT_CODE_DONE;
    }
    switch (request->line.command) {
    case COMMAND_TRAIN:
        return command_train(&request->config, subject);
    case COMMAND_EVAL:
        return command_eval(&request->config, subject);
    case COMMAND_COLLECT:
        return command_collect(&request->config, subject);
    case COMMAND_CONVERT:
        return command_convert(&request->config, subject);
    case COMMAND_INSPECT:
        return command_inspect(&request->config, subject);
    case COMMAND_BENCH:
        return command_bench(&request->config, subject);
    case COMMAND_RENDER:
        return command_render(&request->config, subject);
    case COMMANDS:
        break;
    }
    invariant(request->line.command < COMMANDS);
    return EXIT_CODE_BUG;
}

int main(int argc, char **argv)
{
    static struct request request;
    gemm_choose_core(argv);
    signal(SIGXFSZ, SIG_IGN); /* too large a file is an error of writing, like a full disk */
    subnormal_flush();
    comm_start(&argc, &argv);
    read_request(&request, argc, argv);
    enum exit_code code = run_command(&request);
    comm_stop();
    return (int)code;
}
