#!/usr/bin/python3
"""The ladder makes, trains, evaluates and writes its tables; what is there is not made again, nor taken for
what it is not; and it stops and goes on.

usage: check_ladder.py ROOT BUILD"""

import contextlib
import fcntl
import importlib.machinery
import importlib.util
import json
import math
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.dont_write_bytecode = True
SECONDS = 60  # that anything here may take

TINY = """
from experiments import Experiment, Model, Run, collect
SHARED = {"model.width": 8, "model.heads": 1, "model.hidden": 16, "train.contexts": 2, "train.steps": 2,
          "chain.trials": 3, "chain.trials_min": 3}
TINY = Experiment(
    name="tiny", tier="quick", question="Does it run?", stores=(collect("tiny", groups=3, episodes=3),),
    shared=SHARED, models=(Model("plain"), Model("one token", {"context.tokens": "R+s+-a+-r+-d"}),
                           Model("one seed", {}, (0,))),
    seeds=(0, 1), evaluations={"": {"eval.contexts": 3}, "two trials": {"eval.contexts": 2, "eval.trials": 2}},
    expert="script")
OWN = Experiment(
    name="own", tier="full", question="Does it learn from itself?",
    stores=(collect("own", policy="checkpoint", groups=3, episodes=3, label="script", run="{run}",
                    needs=Run("tiny", "one token", 1)),),
    shared=SHARED, models=(Model("own data"), Model("goes on", begins="own data")), seeds=(0,),
    evaluations={"": {"eval.contexts": 2}}, expert="data")
LONG = TINY._replace(name="long", shared={**SHARED, "train.steps": 10**8}, models=(Model("plain"), Model("other")),
                     seeds=(0,))
EXPERIMENTS = (TINY, OWN)
"""


def load(root):
    """The ladder's own functions."""
    sys.path.insert(0, os.path.join(root, "eval"))
    loader = importlib.machinery.SourceFileLoader("ladder", os.path.join(root, "eval/ladder"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ladder", loader))
    loader.exec_module(module)
    return module


class Place:
    """A folder with a copy of the ladder's surroundings, and experiments of its own."""

    def __init__(self, folder, root, build):
        self.folder = folder
        for name, of in (("eval", os.path.join(root, "eval")), ("scripts", os.path.join(root, "scripts")),
                         ("build", build)):
            os.symlink(of, os.path.join(folder, name))
        self.write("tiny.py", TINY)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text):
        os.makedirs(os.path.dirname(self.path(name)), exist_ok=True)
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)

    def text(self, name):
        with open(self.path(name), encoding="utf-8") as file:
            return file.read()

    def json(self, name):
        return json.loads(self.text(name))

    def start(self, *arguments):
        command = [self.path("eval/ladder"), "--experiments=tiny.py", "--output=out", "--folder=made", *arguments]
        return subprocess.Popen(command, cwd=self.folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                                env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"})

    def ladder(self, *arguments):
        """The commands that the ladder gave; it must succeed."""
        process = self.start(*arguments)
        said, errors = process.communicate()
        assert process.returncode == 0, errors
        return re.findall(r"^ladder: (collect|train|eval) ", said, re.MULTILINE)

    def refused(self, code, *arguments):
        """The one line that it says."""
        process = self.start(*arguments)
        _, errors = process.communicate()
        assert process.returncode == code and errors.count("\n") == 1, (process.returncode, errors)
        return errors


def wait_until(is_so, what):
    end = time.monotonic() + SECONDS
    while not is_so():
        assert time.monotonic() < end, what
        time.sleep(0.05)


# --- Tables ------------------------------------------------------------------------------------------

def test_numbers(tables):
    mean, half = tables.interval([1.0, 2.0, 3.0])
    assert mean == 2.0 and abs(half - 4.303 / math.sqrt(3)) < 1e-12
    assert math.isnan(tables.interval([1.0])[1]) and tables.text_of([1.0]) == "1.00"
    scores = {"policy": {"mean": 6.0}, "random": {"mean": 2.0}, "script": {"mean": 10.0}}
    assert tables.area(scores, None) == 0.5 and tables.area(scores, 6.0) == 1.0
    assert tables.shown_trials(4) == [0, 1, 2, 3] and tables.shown_trials(128) == [0, 1, 3, 7, 15, 31, 63, 127]


def test_sentences_count_what_there_is(tables):
    two, four = {"contexts": 2}, {"contexts": 1024}
    assert tables.sentence_of_samples({"a": {"0": two}}) == "2 contexts, 1 seed."
    assert tables.sentence_of_samples({"a": {"0": two, "1": four}, "b": {"0": two}, "c": {"0": two, "1": two}}) == \
        "2 to 1,024 contexts, 2 seeds (*b*: 1)."
    assert tables.sentence_of_evaluations({"": {"eval.explore": "0"}, "far": {"eval.explore": "9,9,9,9,9"}}) == \
        ("Evaluated with `chainring eval RUN --eval.explore=0`; "
         "`chainring eval RUN --eval.explore=9,... (5 times)` (far).")


def test_tables_show_what_older_results_have(place):
    means = {"policy": 1.5, "random": 1.0, "script": 2.0}
    scores = {"seconds": 3.0, "contexts": 7, **{behaviour: {"trials": [1.0, mean], "mean": mean, "best": 2.0}
                                               for behaviour, mean in means.items()}}
    for name in ("tiny", "own"):
        place.write(f"out/results/{name}.json", json.dumps({"experiment": name, "models": {"old": {"0": scores}}}))
    place.ladder("--tables")
    text = place.text("out/README.md")
    assert "| old | 1.00 | 1.50 | 1.50 | 1.50 | 2.00 | - | 0.50 | 6 s |" in text, text
    assert "| - | - | 6 s |" in text and "7 contexts, 1 seed." in text and "Data:" not in text
    assert not os.path.exists(place.path("made"))


# --- Making ------------------------------------------------------------------------------------------

def test_only_known_experiments(place):
    assert "tiny, own" in place.refused(64, "--only=tiny,typo") and "typo" in place.refused(64, "--only=typo")
    assert "--seeds" in place.refused(64, "--seeds=0")
    assert not os.path.exists(place.path("out")) and not os.path.exists(place.path("made"))


def test_names_stand_for_one_thing(place):
    for old, new, words in (('"one seed"', '"pl,ain"', "tiny-plain-SEED"),
                            ('"one token", 1', '"no token", 1', "no token"),
                            ('"own", policy', '"tiny", policy', "tiny.h5")):
        place.write("tiny.py", TINY.replace(old, new))
        assert words in place.refused(64)
    place.write("tiny.py", TINY)


def test_everything_is_made_once(place):
    calls = place.ladder()
    assert [calls.count(name) for name in ("collect", "train", "eval")] == [1, 5, 10], calls
    results = place.json("out/results/tiny.json")
    models = results["models"]
    assert list(models) == ["plain", "plain, two trials", "one token", "one token, two trials", "one seed",
                            "one seed, two trials"]
    scores = models["plain, two trials"]["0"]
    assert [len(scores["policy"]["trials"]), len(models["one seed"]), scores["ranks"]] == [2, 1, 2]
    assert results["made"]["one token, two trials"]["eval.trials"] == "2"
    text = place.text("out/README.md")
    assert "## tiny" in text and "| one token | " in text and "- one seed less plain, last trial: " in text
    assert "| random | " in text and "| script | " in text and "[tiny.py](../tiny.py)" in text
    assert "2 to 3 contexts, 2 seeds (*one seed*: 1, *one seed, two trials*: 1). Evaluated with " in text
    assert place.ladder() == [] and place.text("out/README.md") == text


def test_fewer_seeds_leave_the_others_there(place):
    assert place.ladder("--seeds=1", "--folder=less", "--ranks=1", "--only=tiny").count("train") == 3
    models = place.json("out/results/tiny.json")["models"]
    assert list(models["plain"]) == ["0", "1"] and [models["plain"][seed]["ranks"] for seed in "01"] == [1, 2]
    place.write("tiny.py", TINY.replace('"train.steps": 2', '"train.steps": 3'))
    place.ladder("--seeds=1", "--folder=other")
    assert list(place.json("out/results/tiny.json")["models"]["plain"]) == ["0"]
    place.write("tiny.py", TINY)


def test_what_was_made_differently_is_refused(place):
    for old, new, words in (
            ('"train.steps": 2', '"train.steps": 3', ("train.steps=2", "train.steps=3", "made/*/tiny-plain-*")),
            ('"eval.contexts": 3', '"eval.contexts": 4', ("eval.contexts=3", "made/scores/tiny-plain-*")),
            ("groups=3", "groups=4", ("--groups=3", "--groups=4", "delete made/tiny.h5* made/*/tiny-plain-* "))):
        place.write("tiny.py", TINY.replace(old, new, 1))
        line = place.refused(65)
        assert all(word in line for word in words), line
    subprocess.run("rm made/tiny.h5*", shell=True, check=True, cwd=place.folder)
    line = place.refused(65)
    assert "tiny.h5: command" in line, line
    remove = re.search("delete (.*) or take", line)[1]
    subprocess.run("rm -r " + remove, shell=True, check=True, cwd=place.folder)
    assert place.ladder("--seeds=1").count("train") == 3
    place.write("made/own.h5", "")
    assert "no record" in place.refused(65, "--only=own")
    place.write("tiny.py", TINY)


def test_a_run_that_a_store_needs_is_made_first(place):
    assert place.ladder("--only=own", "--folder=needs") == ["collect", "train", "collect", "train", "eval", "train", "eval"]
    assert os.path.exists(place.path("needs/runs/tiny-one_token-1/ckpt"))
    assert list(place.json("out/results/own.json")["data"]) == ["own.h5"]
    with open(place.path("needs/runs/own-goes_on-0/config.yaml"), encoding="utf-8") as file:
        assert "runs/own-own_data-0" in file.read()


# --- Stopping ----------------------------------------------------------------------------------------

def test_seconds_are_those_of_each_step_once(ladder, place):
    place.write("run/metrics.jsonl", '{"step": 20, "seconds_per_step": 1.0}\n{"step": 30, "validation_loss": 1.0}\n'
                                     '{"step": 40, "seconds_per_step": 0.5}\n')
    assert ladder.training_seconds(place.path("run")) == 30.0 and ladder.training_seconds(place.path("no")) is None
    place.write("run/log.txt", "model: 9 parameters; 2 ranks of 3 threads in 1 ring; 2 MiB\n")
    assert ladder.cores_of(place.path("run"), 1) == 6 and ladder.cores_of(place.path("no"), 1) == 1


def is_free(run):
    with open(os.path.join(run, "lock"), encoding="utf-8") as lock:
        with contextlib.suppress(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
    return False


def stop(place, runs, number, *arguments):
    """The steps of the runs when a signal to the ladder has ended them."""
    metrics = [os.path.join(run, "metrics.jsonl") for run in runs]
    sizes = [os.path.exists(path) and os.path.getsize(path) for path in metrics]
    process = place.start("--folder=long", *arguments)
    wait_until(lambda: all(os.path.exists(path) and os.path.getsize(path) > size
                           for path, size in zip(metrics, sizes)), "the runs begin")
    process.send_signal(number)
    _, errors = process.communicate(timeout=SECONDS)
    if number == signal.SIGKILL:
        wait_until(lambda: all(map(is_free, runs)), "the runs end")
    else:
        assert process.returncode == 75 and "the same command goes on" in errors, (process.returncode, errors)
    assert all(map(is_free, runs))
    states = [place.json(os.path.join(run, "status.json")) for run in runs]
    assert [state["state"] for state in states] == ["stopped"] * len(runs), states
    return [state["step"] for state in states]


def test_a_signal_stops_the_runs_and_they_go_on(place):
    place.write("tiny.py", TINY + "EXPERIMENTS = (LONG,)\n")
    plain, other = (os.path.join(place.folder, "long/runs", name) for name in ("long-plain-0", "long-other-0"))
    steps = [stop(place, [plain], number) for number in (signal.SIGTERM, signal.SIGINT, signal.SIGKILL)]
    steps += [stop(place, [plain, other], signal.SIGTERM, "--jobs=2")[:1]]
    assert steps == sorted(steps) and len(set(map(tuple, steps))) == len(steps), steps
    place.write("tiny.py", TINY)


@contextlib.contextmanager
def a_place(root, build):
    with tempfile.TemporaryDirectory() as folder:
        yield Place(folder, root, build)


def main():
    root, build = sys.argv[1:]
    ladder = load(root)
    tables = sys.modules["ladder_tables"]
    test_numbers(tables)
    test_sentences_count_what_there_is(tables)
    with a_place(root, build) as place:
        test_only_known_experiments(place)
        test_names_stand_for_one_thing(place)
        test_seconds_are_those_of_each_step_once(ladder, place)
        test_tables_show_what_older_results_have(place)
    with a_place(root, build) as place:
        test_everything_is_made_once(place)
        test_a_run_that_a_store_needs_is_made_first(place)
        test_fewer_seeds_leave_the_others_there(place)
        test_what_was_made_differently_is_refused(place)
        test_a_signal_stops_the_runs_and_they_go_on(place)
    print("the ladder makes each score once")


if __name__ == "__main__":
    main()
