#!/usr/bin/python3
"""Looking while training: the weights are those of a run without, the best checkpoint stays, and a
run that was killed goes on to the same end.

usage: check_evaluation.py SCRIPTS_MPI CHAINRING"""

import json
import os
import subprocess
import sys
import tempfile

PROGRAM, FOLDER = sys.argv[1:3], None
CONFIG = """data:
  store: store.h5
context:
  tokens: R+s+-a+-r+-d
chain:
  trials: 3
model:
  width: 16
  heads: 2
  hidden: 32
train:
  contexts: 4
  steps: 24
  rate: 1e-2
  warmup: 2
  checkpoint_every: 100
  keep: 1
"""


def run(*arguments, ranks=1, code=0):
    launcher = [PROGRAM[0], str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, PROGRAM[1], *arguments], capture_output=True, text=True, timeout=300,
                          cwd=FOLDER)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    return done


def train(name, *options, ranks=1, code=0):
    return run("train", "run.yaml", "--run.name=" + name, *options, ranks=ranks, code=code)


def read(*names):
    with open(os.path.join(FOLDER, "runs", *names), "rb") as file:
        return file.read()


def weights(name, step=24):
    return read(name, "ckpt", f"step-{step}", "model.safetensors")


def evaluations(name):
    lines = [json.loads(line) for line in read(name, "metrics.jsonl").splitlines()]
    return [line for line in lines if "validation_loss" in line]


def test_weights_are_those_of_a_run_without(ranks):
    train("plain", "--data.holdout=0.2", ranks=ranks)
    train("looking", "--data.holdout=0.2", "--evaluate_every=5", "--evaluate_contexts=3", ranks=ranks)
    assert weights("plain") == weights("looking")
    found = evaluations("looking")
    assert [line["step"] for line in found] == [5, 10, 15, 20, 24], found
    assert all(line["validation_loss"] > 0 and line["last_trial"] > 0 for line in found)


def test_the_best_stays_beside_the_newest():
    found = evaluations("looking")
    best = min(found, key=lambda line: line["validation_loss"])
    said = json.loads(read("looking", "best.json"))
    assert said["step"] == best["step"] and said["evaluated"] == 24, (said, found)
    assert {f"step-{best['step']}", "step-24"} <= set(os.listdir(os.path.join(FOLDER, "runs/looking/ckpt")))
    printed = run("eval", "runs/looking", "--checkpoint=best", "--contexts=2").stdout
    assert f"step {best['step']}," in printed, printed
    named = f"--checkpoint=step-{best['step']}"
    before = read("looking", "evaluation.json")
    again = run("eval", "runs/looking", named, "--contexts=2", "--output=scores/best.json").stdout
    assert again == printed and read("looking", "evaluation.json") == before  # another file
    with open(os.path.join(FOLDER, "scores/best.json"), "rb") as file:
        assert file.read() == before
    refused = run("eval", "runs/plain", "--checkpoint=best", code=66).stderr
    assert "train.evaluate_every" in refused, refused


def test_without_what_is_held_out_the_last_trial_decides():
    train("played", "--evaluate_every=8", "--evaluate_contexts=3")
    found = evaluations("played")
    assert all(line["validation_loss"] is None for line in found), found
    best = max(found, key=lambda line: line["last_trial"])
    assert json.loads(read("played", "best.json"))["step"] == best["step"]


def test_a_run_that_stopped_goes_on_to_the_same_end():
    options = ("--data.holdout=0.2", "--evaluate_every=5", "--evaluate_contexts=3")
    train("stopped", *options, "--until=12", code=75)
    train("stopped", *options)
    assert weights("stopped") == weights("looking") and evaluations("stopped") == evaluations("looking")
    assert read("stopped", "best.json") == read("looking", "best.json")


def test_recorded_actions_are_predicted_on_any_number_of_ranks():
    text = run("eval", "runs/looking", "--store=store.h5", "--contexts=20").stdout
    assert "mean squared error of a number" in text and "trial 3" in text, text
    one, two = (json.loads(run("eval", "runs/looking", "--store=store.h5", "--contexts=20", "--eval.format=json",
                               ranks=ranks).stdout) for ranks in (1, 2))
    more = json.loads(run("eval", "runs/looking", "--store=store.h5", "--contexts=32", "--eval.format=json").stdout)
    assert more["chains"] == 32 and more["all"] != one["all"]  # as many chains as were asked for
    assert abs(one["all"] - two["all"]) < 1e-5 * one["all"] and len(one["trials"]) == 3
    run("collect", "--task=walker_walk", "--policy=random", "--groups=1", "--episodes=1", "--output=walker.h5")
    refused = run("eval", "runs/looking", "--store=walker.h5", code=78).stderr
    assert "other actions than" in refused, refused


def test_a_run_begins_from_another():
    train("again", "--from=runs/looking", "--steps=24", "--warmup=0", "--rate=0")
    assert weights("again") == weights("looking")
    # Longer chains have longer tables, whose new rows are the last trained one.
    done = train("longer", "--from=runs/looking", "--steps=1", "--rate=0", "--chain.trials=4")
    assert "begin: from the weights in runs/looking/ckpt/step-24" in done.stderr, done.stderr
    train("longer", "--from=runs/looking", "--steps=1", "--rate=0", "--chain.trials=4")
    for refusal in (train("wider", "--from=runs/looking", "--model.hidden=64", code=78),
                    train("none", "--from=runs/gone", code=66)):
        assert "train.from" in refusal.stderr or "no checkpoint" in refusal.stderr, refusal.stderr


def main():
    global FOLDER
    with tempfile.TemporaryDirectory() as FOLDER:
        with open(os.path.join(FOLDER, "run.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        run("collect", "--groups=20", "--episodes=4", "--output=store.h5")
        test_weights_are_those_of_a_run_without(1)
        test_the_best_stays_beside_the_newest()
        test_without_what_is_held_out_the_last_trial_decides()
        test_a_run_that_stopped_goes_on_to_the_same_end()
        test_recorded_actions_are_predicted_on_any_number_of_ranks()
        test_a_run_begins_from_another()
    with tempfile.TemporaryDirectory() as FOLDER:
        with open(os.path.join(FOLDER, "run.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        run("collect", "--groups=20", "--episodes=4", "--output=store.h5")
        test_weights_are_those_of_a_run_without(2)
    print("evaluation while training changes nothing and keeps the best")


if __name__ == "__main__":
    main()
