#include "datasets/replay.h"

#include <math.h>

#include <jansson.h>

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

static const char *const verdicts[] = {
    [REPLAY_MATCHES_EXACT] = "exact",
    [REPLAY_MATCHES_LEGACY] = "legacy",
    [REPLAY_MATCHES_BOTH] = "both",
    [REPLAY_MATCHES_NEITHER] = "neither",
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

static void print_verdict(FILE *out, const struct replay *replay)
{
    switch (replay->verdict) {
    case REPLAY_MATCHES_EXACT:
    case REPLAY_MATCHES_LEGACY:
        fprintf(out, "the data obey the %s rule of inertia\n", verdicts[replay->verdict]);
        return;
    case REPLAY_MATCHES_BOTH:
        fprintf(out, "both rules agree on these steps, and with the data\n");
        return;
    case REPLAY_MATCHES_NEITHER:
        fprintf(out, "the data obey neither rule of inertia\n");
        return;
    }
}

static void print_replay_text(FILE *out, const struct replay *replay)
{
    fprintf(out, "%s: %zu of %zu steps of %s, each simulated anew from the state before it\n\n",
            store_path(replay->store), replay->steps, store_step_count(replay->store),
            replay->task);
    print_replay_table(out, replay);
    fprintf(out, "\nthe rules part by at most %.3g, on %zu steps by more than %g\n",
            replay->rule_difference, replay->distinguishing, replay_tolerance);
    print_verdict(out, replay);
}

/* --- JSON ------------------------------------------------------------------------------------- */

static json_t *finite_json(double value)
{
    return isfinite(value) ? json_real(value) : json_null();
}

static json_t *fit_json(const struct replay_fit *fit, size_t compared)
{
    json_t *object = json_pack("{s:I, s:I}", "steps_nearer", (json_int_t)fit->nearer,
                               "steps_unstable", (json_int_t)fit->failed);
    for (size_t i = 0; i < compared; i++) {
        const struct replay_residual *residual = &fit->residuals[i];
        json_object_set_new(object, quantities[i].key,
                            json_pack("{s:o, s:o}", "median", finite_json(residual->median),
                                      "maximum", finite_json(residual->maximum)));
    }
    return object;
}

static void print_replay_json(FILE *out, const struct replay *replay)
{
    json_t *object = json_object();
    size_t compared = replay->has_rewards ? REPLAY_QUANTITIES : REPLAY_REWARD;
    json_object_set_new(object, "file", json_string(store_path(replay->store)));
    json_object_set_new(object, "task", json_string(replay->task));
    json_object_set_new(object, "steps", json_integer((json_int_t)replay->steps));
    json_object_set_new(object, "tolerance", json_real(replay_tolerance));
    json_object_set_new(object, "parting", finite_json(replay->rule_difference));
    json_object_set_new(object, "steps_telling", json_integer((json_int_t)replay->distinguishing));
    for (size_t rule = 0; rule < INERTIA_RULES; rule++) {
        json_object_set_new(object, inertia_rule_name((enum inertia_rule)rule),
                            fit_json(&replay->fits[rule], compared));
    }
    json_object_set_new(object, "obeys", json_string(verdicts[replay->verdict]));
    report_json(out, object, REPORT_ALL_DIGITS);
}

/* --- What is called --------------------------------------------------------------------------- */

bool replay_print(FILE *out, const struct replay *replay, enum inspect_form form,
                  struct failure *failure)
{
    if (form == INSPECT_JSON) {
        print_replay_json(out, replay);
    } else {
        print_replay_text(out, replay);
    }
    return report_finish(out, failure);
}
