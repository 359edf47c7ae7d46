#include "train/ledger.h"

#include "base/clock.h"

static const struct {
    const char *key, *words;
} names[LEDGER_PARTS] = {
    [LEDGER_COMPUTE] = {"compute", "computing"},
    [LEDGER_MESSAGES] = {"exposed_communication", "exposed communication"},
    [LEDGER_RANKS] = {"rank_wait", "slower ranks"},
    [LEDGER_DATA] = {"data_wait", "data"},
    [LEDGER_OPTIMIZER] = {"optimizer", "optimizer"},
    [LEDGER_OTHER] = {"other", "other"},
};

const char *ledger_key(enum ledger_part part)
{
    return names[part].key;
}

const char *ledger_words(enum ledger_part part)
{
    return names[part].words;
}

void ledger_begin(struct ledger *ledger)
{
    *ledger = (struct ledger){.since = clock_seconds()};
}

void ledger_charge(struct ledger *ledger, enum ledger_part part)
{
    double now = clock_seconds();
    ledger->seconds[part] += now - ledger->since;
    ledger->since = now;
}

void ledger_move(struct ledger *ledger, enum ledger_part from, enum ledger_part to, double seconds)
{
    ledger->seconds[from] -= seconds;
    ledger->seconds[to] += seconds;
}

void ledger_add(struct ledger *ledger, const struct ledger *other)
{
    for (size_t part = 0; part < LEDGER_PARTS; part++) {
        ledger->seconds[part] += other->seconds[part];
    }
}

double ledger_total(const struct ledger *ledger)
{
    double total = 0.0;
    for (size_t part = 0; part < LEDGER_PARTS; part++) {
        total += ledger->seconds[part];
    }
    return total;
}
