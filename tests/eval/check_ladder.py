#!/usr/bin/python3
"""The ladder makes, trains, evaluates and writes its tables; what is there is not made again.

usage: check_ladder.py ROOT BUILD"""

import importlib.machinery
import importlib.util
import json
import math
import os
import sys
import tempfile

sys.dont_write_bytecode = True


def load(root):
    loader = importlib.machinery.SourceFileLoader("ladder", os.path.join(root, "eval/ladder"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("ladder", loader))
    loader.exec_module(module)
    return module


def tiny(experiments):
    shared = {"model.width": 8, "model.heads": 1, "model.hidden": 16, "train.contexts": 2, "train.steps": 2,
              "chain.trials": 3, "chain.trials_min": 3}
    return experiments.Experiment(
        name="tiny", tier="quick", question="Does it run?",
        stores=(experiments.collect("tiny", groups=3, episodes=3),), shared=shared,
        models=(experiments.Model("plain"), experiments.Model("one token", {"context.tokens": "R+s+-a+-r+-d"}),
                experiments.Model("one seed", {}, (0,))),
        seeds=(0, 1), evaluations={"": {"eval.contexts": 3}, "two trials": {"eval.contexts": 3, "eval.trials": 2}},
        expert="script")


def test_numbers(ladder):
    mean, half = ladder.interval([1.0, 2.0, 3.0])
    assert mean == 2.0 and abs(half - 4.303 / math.sqrt(3)) < 1e-12
    assert math.isnan(ladder.interval([1.0])[1]) and ladder.text_of([1.0]) == "1.00"
    scores = {"policy": {"mean": 6.0}, "random": {"mean": 2.0}, "script": {"mean": 10.0}}
    assert ladder.area(scores, None) == 0.5 and ladder.area(scores, 6.0) == 1.0
    assert ladder.shown_trials(4) == [0, 1, 2, 3] and ladder.shown_trials(128) == [0, 1, 3, 7, 15, 31, 63, 127]


def test_ladder_runs_once_and_writes_tables(ladder, experiments, root, build):
    with tempfile.TemporaryDirectory() as folder:
        os.makedirs(os.path.join(folder, "eval"))
        os.symlink(build, os.path.join(folder, "build"))
        os.symlink(os.path.join(root, "scripts"), os.path.join(folder, "scripts"))
        os.chdir(folder)
        ladder.ROOT, ladder.EXPERIMENTS = folder, (tiny(experiments),)
        calls, run = [], ladder.chainring
        ladder.chainring = lambda *arguments, ranks=1: (calls.append(arguments[0]), run(*arguments, ranks=ranks))
        sys.argv = ["ladder", "--folder=made"]
        ladder.main()
        assert calls.count("collect") == 1 and calls.count("train") == 5 and calls.count("eval") == 10, calls
        with open("eval/results/tiny.json", encoding="utf-8") as file:
            models = json.load(file)["models"]
        assert list(models) == ["plain", "plain, two trials", "one token", "one token, two trials", "one seed",
                                "one seed, two trials"]
        assert [len(models["plain, two trials"]["0"]["policy"]["trials"]), len(models["one seed"])] == [2, 1]
        with open("eval/README.md", encoding="utf-8") as file:
            text = file.read()
        assert "## tiny" in text and "| one token | " in text and "- one seed less plain, last trial: " in text
        assert "| random | " in text and "| script | " in text
        calls.clear()
        ladder.main()
        assert calls == []


def main():
    root, build = sys.argv[1:]
    ladder = load(root)
    test_numbers(ladder)
    test_ladder_runs_once_and_writes_tables(ladder, sys.modules["experiments"], root, build)
    print("the ladder makes each score once")


if __name__ == "__main__":
    main()
