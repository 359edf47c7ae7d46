#include "datasets/replay.h"

#include "datasets/report.h"

static const struct {
    const char *text, *key;
} quantities[REPLAY_QUANTITIES] = {
    [REPLAY_POSITION] = {"position", "position"},
    [REPLAY_VELOCITY] = {"velocity", "velocity"},
    [REPLAY_ACTIVATION] = {"activation", "activation"},
    [REPLAY_REWARD] = {"reward, as simulated", "reward_simulated"},
    [REPLAY_RELABELLED] = {"reward, no control", "reward_relabelled"},
};

static const struct {
    const char *word, *sentence;
} verdicts[] = {
    [REPLAY_MATCHES_EXACT] = {"exact", "the data obey the exact rule of inertia"},
    [REPLAY_MATCHES_LEGACY] = {"legacy", "the data obey the legacy rule of inertia"},
    [REPLAY_MATCHES_BOTH] = {"both", "both rules agree on these steps, and with the data"},
    [REPLAY_MATCHES_NEITHER] = {"neither", "the data obey neither rule of inertia"},
};

/* --- Text ------------------------------------------------------------------------------------- */

static void print_replay_table(FILE *out, const struct replay *replay)
{
    fprintf(out, "%-24s%24s%24s\n%-24s%12s%12s%12s%12s\n", "", inertia_rule_name(INERTIA_EXACT),
            inertia_rule_name(INERTIA_LEGACY), "difference to the store", "median", "maximum",
            "median", "maximum");
    size_t compared = replay->has_rewards ? REPLAY_QUANTITIES : REPLAY_REWARD;
    for (size_t i = 0; i < compared; i++) {
        fprintf(out, "%-24s", quantities[i].text);
        for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
            const struct replay_residual *residual = &replay->fits[rule].residuals[i];
            fprintf(out, "%12.3g%12.3g", residual->median, residual->maximum);
        }
        fputc('\n', out);
    }
    fprintf(out, "%-24s%24zu%24zu\n", "steps nearer", replay->fits[INERTIA_EXACT].nearer,
            replay->fits[INERTIA_LEGACY].nearer);
    fprintf(out, "%-24s%24zu%24zu\n", "steps unstable", replay->fits[INERTIA_EXACT].failed,
            replay->fits[INERTIA_LEGACY].failed);
}

static void print_replay_text(FILE *out, const struct replay *replay)
{
    fprintf(out, "%s: %zu of %zu steps of %s, each simulated anew from the state before it\n\n",
            store_path(replay->store), replay->steps, store_step_count(replay->store),
            replay->task);
    print_replay_table(out, replay);
    fprintf(out, "\nthe rules part by at most %.3g, on %zu steps by more than %g\n%s\n",
            replay->rule_difference, replay->distinguishing, replay_tolerance,
            verdicts[replay->verdict].sentence);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *replay_fit_json(const struct replay_fit *fit, size_t compared)
{
    json_t *object = json_object();
    report_count(object, "steps_nearer", fit->nearer);
    report_count(object, "steps_unstable", fit->failed);
    for (size_t i = 0; i < compared; i++) {
        json_t *residual = json_object();
        report_number(residual, "median", fit->residuals[i].median);
        report_number(residual, "maximum", fit->residuals[i].maximum);
        json_object_set_new(object, quantities[i].key, residual);
    }
    return object;
}

static json_t *replay_json(const struct replay *replay)
{
    json_t *object = json_object();
    size_t compared = replay->has_rewards ? REPLAY_QUANTITIES : REPLAY_REWARD;
    report_text(object, "file", store_path(replay->store));
    report_text(object, "task", replay->task);
    report_count(object, "steps", replay->steps);
    report_number(object, "tolerance", replay_tolerance);
    report_number(object, "parting", replay->rule_difference);
    report_count(object, "steps_telling", replay->distinguishing);
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        json_object_set_new(object, inertia_rule_name((enum inertia_rule)rule),
                            replay_fit_json(&replay->fits[rule], compared));
    }
    report_text(object, "obeys", verdicts[replay->verdict].word);
    return object;
}

bool replay_print(FILE *out, const struct replay *replay, enum inspect_form form,
                  struct failure *failure)
{
    if (form == INSPECT_JSON) {
        report_json(out, replay_json(replay), REPORT_ALL_DIGITS);
    } else {
        print_replay_text(out, replay);
    }
    return report_finish(out, failure);
}
