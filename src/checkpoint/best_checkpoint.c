#include "checkpoint/best_checkpoint.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "base/memory.h"
#include "checkpoint/json_file.h"

static const char format[] = "chainring-best";
enum { VERSION = 1, BYTES_MAX = 65536 };

bool best_checkpoint_is_beaten(const struct best_checkpoint *best, double validation_loss,
                               double last_trial)
{
    bool has_loss = !isnan(validation_loss), best_has_loss = !isnan(best->validation_loss);
    bool has_trial = !isnan(last_trial), best_has_trial = !isnan(best->last_trial);
    if (best->step == 0) {
        return has_loss || has_trial;
    }
    if (has_loss && best_has_loss) {
        return validation_loss < best->validation_loss;
    }
    if (has_trial && best_has_trial) {
        return last_trial > best->last_trial;
    }
    /* What cannot be compared with anything would stay the best for ever. */
    return !best_has_loss && (has_loss || (has_trial && !best_has_trial));
}

static double number_or_nan(const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    return json_is_number(value) ? json_number_value(value) : (double)NAN;
}

static bool best_parse(struct best_checkpoint *best, const json_t *object, const char *path,
                       struct failure *failure)
{
    best->validation_loss = number_or_nan(object, "validation_loss");
    best->last_trial = number_or_nan(object, "last_trial");
    return json_file_check_format(object, path, format, VERSION, failure) &&
           json_file_count(&best->step, object, "step", path, failure) &&
           json_file_count(&best->evaluated, object, "evaluated", path, failure);
}

static const struct best_checkpoint no_best = {.validation_loss = (double)NAN,
                                               .last_trial = (double)NAN};

bool best_checkpoint_read(struct best_checkpoint *best, const char *run, struct failure *failure)
{
    char path[FILE_PATH_MAX];
    *best = no_best;
    if (!file_join(path, run, "best.json", failure)) {
        return false;
    }
    if (access(path, F_OK) != 0) {
        return true;
    }
    json_t *object = json_file_read(path, BYTES_MAX, failure);
    bool ok = object && best_parse(best, object, path, failure);
    json_decref(object);
    return ok;
}

bool best_checkpoint_path(char *path, const struct best_checkpoint *best, const char *run,
                          struct failure *failure)
{
    char folder[FILE_PATH_MAX], name[32];
    snprintf(name, sizeof name, "step-%" PRIu64, best->step);
    return file_join(folder, run, "ckpt", failure) && file_join(path, folder, name, failure);
}

bool best_checkpoint_resume(struct best_checkpoint *best, const char *run, uint64_t step,
                            struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!best_checkpoint_read(best, run, failure) ||
        !best_checkpoint_path(path, best, run, failure)) {
        return false;
    }
    if (best->evaluated > step) {
        *best = no_best;
    } else if (best->step > 0 && access(path, F_OK) != 0) {
        log_warning("%s: the best checkpoint is gone; the next evaluation names another", path);
        *best = no_best;
    }
    return true;
}

static json_t *best_number_json(double value)
{
    return isnan(value) ? json_null() : json_real(value);
}

bool best_checkpoint_write(const struct best_checkpoint *best, const char *run,
                           struct failure *failure)
{
    char path[FILE_PATH_MAX];
    if (!file_join(path, run, "best.json", failure)) {
        return false;
    }
    json_t *object = json_pack(
        "{s:s, s:i, s:I, s:I, s:o, s:o}", "format", format, "version", VERSION, "step",
        (json_int_t)best->step, "evaluated", (json_int_t)best->evaluated, "validation_loss",
        best_number_json(best->validation_loss), "last_trial", best_number_json(best->last_trial));
    size_t size;
    char *text = json_file_print(&size, object);
    json_decref(object);
    bool ok = file_write_text(path, text, failure);
    memory_free(text);
    return ok;
}
