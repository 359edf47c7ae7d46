"""The page of results: each experiment's question, data and scores, from results/NAME.json."""

import math
import os
from collections import Counter

from ladder_kept import read_json, write_text

# Student's t of 97.5 %, by degrees of freedom.
STUDENT = {1: 12.706, 2: 4.303, 3: 3.182, 4: 2.776, 5: 2.571, 6: 2.447, 7: 2.365, 8: 2.306, 9: 2.262}
RANKS_ONCE = 2  # of results that do not say how many

INTRODUCTION = """# Evaluation

`chainring eval RUN` rolls a policy out in contexts of several trials with hidden tasks that it was not
trained on, beside a control whose hidden task is drawn anew in every trial (what it gains there is no
memory), random actions and the task's script. `chainring eval RUN --store=FILE` judges it by recorded
actions instead.

`eval/ladder` makes the data, trains, evaluates and writes this page from the table of experiments in
[{experiments}]({link}), which says how one is added:

    eval/ladder                             # the quick tier; --tier=full: all of them
    eval/ladder --only=dark_room            # one, or several separated by commas
    eval/ladder --jobs=2                    # two runs of one rank and one thread side by side
    eval/ladder --experiments=FILE --output=DIR --folder=DIR    # others, and places of their own
    eval/ladder --tables                    # only write this page anew

A run takes two ranks (`--ranks`) and the cores they may use; with `--jobs=N` N runs of one rank and one
thread each go side by side, which suits a machine that is not idle. Ctrl-C or TERM ends the ladder when its
runs have saved a checkpoint. The same command then goes on, as it does after a crash: stores, runs and scores
lie in `ladder/` (`--folder`), each with what made it, and are made once. If an experiment has changed since,
the ladder stops and says what to delete.

Scores are mean returns over contexts; ± is half the 95 % interval over seeds (Student's t), differences are
paired by seed and task. *area* is the mean return of all trials between random actions (0) and the expert
(1). *training* is the time in seconds of one core, some of it beside other work. The numbers, and all
options of each model, are in [results](results).
"""


# --- Numbers ----------------------------------------------------------------------------------------

def interval(values):
    """Mean and half the width of its 95 % interval over seeds."""
    mean = sum(values) / len(values)
    if len(values) < 2:
        return mean, math.nan
    variance = sum((value - mean) ** 2 for value in values) / (len(values) - 1)
    return mean, STUDENT.get(len(values) - 1, 1.96) * math.sqrt(variance / len(values))


def text_of(values, digits=2):
    mean, half = interval(values)
    if math.isnan(mean):
        return "-"
    return f"{mean:.{digits}f}" + ("" if math.isnan(half) else f" ± {half:.{digits}f}")


def last(scores, behaviour):
    return scores[behaviour]["trials"][-1]


def area(scores, expert):
    """0: random, 1: the expert (a return, or None: the evaluation's script), over all trials."""
    best = expert if expert is not None else scores.get("script", {}).get("mean", math.nan)
    random = scores["random"]["mean"]
    return (scores["policy"]["mean"] - random) / (best - random)


def expert_of(experiment, data):
    """A return; None: the evaluation's script; NaN: results that do not say what the data pay."""
    if experiment.expert != "data":
        return None
    expert = next(iter(data.values()), {}).get("expert")
    return math.nan if expert is None else expert


def core_seconds(scores):
    """Older results know their ranks only, or not even those."""
    cores = scores.get("cores", scores.get("ranks", RANKS_ONCE))
    return math.nan if scores["seconds"] is None else scores["seconds"] * cores


# --- Sentences --------------------------------------------------------------------------------------

def counted(count, noun):
    return f"{count:,} {noun}" + "s" * (count != 1)


def sentence_of_samples(models):
    """`256 contexts, 5 seeds (*one token*: 1).`"""
    contexts = sorted({scores["contexts"] for seeds in models.values() for scores in seeds.values()})
    seeds = {name: len(of) for name, of in models.items()}
    ((usual, _),) = Counter(seeds.values()).most_common(1)
    others = ", ".join(f"*{name}*: {count}" for name, count in seeds.items() if count != usual)
    return (" to ".join(f"{count:,}" for count in sorted({contexts[0], contexts[-1]})) +
            f" context{'s' * (contexts[-1] != 1)}, {counted(usual, 'seed')}" + (f" ({others})" if others else "") + ".")


def shown_value(value):
    """A long list of one value is its number of them."""
    values = str(value).split(",")
    return f"{values[0]},... ({len(values)} times)" if len(values) > 4 and len(set(values)) == 1 else str(value)


def sentence_of_evaluations(evaluations):
    ways = [(way, " ".join(["chainring eval RUN", *(f"--{name}={shown_value(value)}" for name, value in of.items())]))
            for way, of in evaluations.items()]
    return "Evaluated with " + "; ".join(f"`{command}`" + (f" ({way})" if way else "") for way, command in ways) + "."


def sentence_of_data(data):
    return "Data: " + "; ".join(
        f"`{name}`, {counted(of['episodes'], 'episode')}, mean {of['mean']:.2f}, 90th percentile {of['tenth']:.2f}, "
        f"best {of['best']:.2f}" +
        ("" if of["expert"] is None else f", of the highest expertise {of['expert']:.2f}")
        for name, of in data.items()) + "."


# --- Tables -----------------------------------------------------------------------------------------

def shown_trials(count):
    """All of a few, else some on the way to the last."""
    if count <= 4:
        return list(range(count))
    return sorted({0, 1, 3, *(t - 1 for t in (8, 16, 32, 64, 128) if t <= count), count - 1})


def row_of_model(name, runs, trials, expert):
    row = [text_of([run["policy"]["trials"][t] for run in runs]) if t < len(runs[0]["policy"]["trials"]) else ""
           for t in trials]
    control = text_of([last(run, "control") for run in runs]) if "control" in runs[0] else "-"
    row += [text_of([last(run, "policy") for run in runs]), text_of([run["policy"]["mean"] for run in runs]),
            text_of([run["policy"]["best"] for run in runs]), control, text_of([area(run, expert) for run in runs])]
    seconds, _ = interval([core_seconds(run) for run in runs])
    row.append("-" if math.isnan(seconds) else f"{seconds:.0f} s")
    return f"| {name} | " + " | ".join(row) + " |"


def table_of_scores(models, expert):
    count = max(len(scores["policy"]["trials"]) for seeds in models.values() for scores in seeds.values())
    trials = shown_trials(count)
    lines = ["| model | " + " | ".join(f"trial {t + 1}" for t in trials) +
             " | last | mean | best of n | control, last | area | training |",
             "|---" * (len(trials) + 7) + "|",
             *(row_of_model(name, list(seeds.values()), trials, expert) for name, seeds in models.items())]
    some = next(iter(next(iter(models.values())).values()))
    for behaviour in ("random", "script"):
        if behaviour in some:
            lines.append(f"| {behaviour} | " + " | " * len(trials) +
                         f"{last(some, behaviour):.2f} | {some[behaviour]['mean']:.2f} | "
                         f"{some[behaviour]['best']:.2f} | | | |")
    return lines


def table_of_differences(models):
    """The last trial of each model beside the first one's, the same seeds and tasks in both."""
    (first, base), *others = models.items()
    lines = []
    for name, seeds in others:
        values = [last(seeds[seed], "policy") - last(base[seed], "policy") for seed in seeds if seed in base]
        if values:
            lines.append(f"- {name} less {first}, last trial: {text_of(values)}")
    return lines


def section(experiment, results):
    """Older results do not have all of it."""
    models, data = results["models"], results.get("data", {})
    evaluations = results.get("evaluations", experiment.evaluations)
    return [f"## {experiment.name}", "", experiment.question, "",
            f"{sentence_of_samples(models)} {sentence_of_evaluations(evaluations)}", "",
            *([sentence_of_data(data), ""] if data else []),
            *table_of_scores(models, expert_of(experiment, data)), "", *table_of_differences(models), ""]


def write_tables(experiments, source, output):
    """The page of all experiments that have results; `source` is the file that they stand in."""
    lines = [INTRODUCTION.format(experiments=os.path.basename(source), link=os.path.relpath(source, output))]
    for experiment in experiments:
        path = os.path.join(output, "results", experiment.name + ".json")
        if os.path.exists(path):
            lines += section(experiment, read_json(path))
    write_text(os.path.join(output, "README.md"), "\n".join(lines))
