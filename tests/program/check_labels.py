#!/usr/bin/python3
"""Labels of which few or none are known: what learns them goes on where it can and says why where it cannot.

usage: check_labels.py SCRIPTS_MPI CHAINRING"""

import json
import os
import subprocess
import sys
import tempfile

import h5py

PROGRAM, FOLDER = sys.argv[1:3], None
CONFIG = """chain:
  trials: 1
  loss: label
model:
  width: 16
  heads: 2
  hidden: 32
train:
  contexts: 1
  steps: 12
  log_every: 1
"""


def run(*arguments, ranks=1, code=0):
    launcher = [PROGRAM[0], str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, PROGRAM[1], *arguments], capture_output=True, text=True, timeout=120,
                          cwd=FOLDER)
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    return done


def train(store, name, *options, **how):
    return run("train", "run.yaml", "--data.store=" + store, "--run.name=" + name, *options, **how)


def the_line(done):
    lines = [line for line in done.stderr.splitlines() if line.startswith("chainring: ")]
    assert len(lines) == 1 and not done.stdout, (done.stdout, done.stderr)
    return lines[0]


def expect(line, *words):
    for word in words:
        assert word in line, (word, line)


def forget_labels(store, output, known):
    """A copy that knows the labels of the episodes `known` alone: by way of a form that any program can change."""
    run("convert", store, "--to=minari", "--output=" + output + ".minari")
    with h5py.File(os.path.join(FOLDER, output + ".minari/data/main_data.hdf5"), "r+") as file:
        for name in file:
            if int(name.removeprefix("episode_")) not in known:
                file[name]["infos/action_label"][...] = float("nan")
    run("convert", output + ".minari", "--from=minari", "--output=" + output)


def losses(name):
    with open(os.path.join(FOLDER, "runs", name, "metrics.jsonl"), encoding="utf-8") as file:
        return [json.loads(line)["loss"] for line in file]


def test_steps_without_a_known_label_are_no_reason_to_end(ranks):
    name = f"few-{ranks}"
    done = train("few.h5", name, ranks=ranks)
    found = losses(name)
    assert len(found) == 12 and None in found and any(found), found
    assert "nan" not in done.stderr, done.stderr


def test_a_store_that_knows_none_is_refused_with_the_way_out(ranks):
    line = the_line(train("none.h5", "none", ranks=ranks, code=65))
    expect(line, "none.h5: found no label that is known", "chainring convert none.h5 --label=script --output=NEW.h5")
    line = the_line(train("few.h5,none.h5", "none", ranks=ranks, code=65))
    expect(line, "none.h5: found no label that is known")


def test_what_is_held_out_without_a_known_label_names_no_best():
    options = ("--data.holdout=0.3", "--evaluate_every=6", "--evaluate_contexts=0")
    done = train("few.h5", "held_out", *options)
    expect(done.stderr, "nothing to measure at step 6: no label is known in the chains held out")
    with open(os.path.join(FOLDER, "runs/held_out/best.json"), encoding="utf-8") as file:
        assert json.load(file)["step"] == 0


def test_stores_need_labels_only_where_they_are_learnt():
    train("few.h5,bare.h5", "both", "--chain.loss=best")
    expect(the_line(train("few.h5,bare.h5", "refused", code=78)), "bare.h5: found no labels")


def test_recorded_labels_that_nobody_knows_are_no_result(ranks):
    few = ("eval", "runs/few-1", "--store=few.h5", "--chain.loss=label", "--chain.trials=1")
    for form in ("text", "json"):
        show = "--eval.format=" + form
        line = the_line(run("eval", "runs/few-1", "--store=none.h5", "--chain.loss=label", show, ranks=ranks, code=65))
        expect(line, "none.h5: found no label that is known", "--label=script")
        line = the_line(run(*few, "--eval.contexts=1", "--eval.seed=2", show, ranks=ranks, code=65))
        expect(line, "few.h5: found no label that is known in the 1 chains", "eval.contexts", "chain.loss=all")
    printed = json.loads(run(*few, "--eval.contexts=200", "--eval.format=json", ranks=ranks).stdout)
    assert printed["all"] > 0 and printed["trials"] == [printed["all"]], printed


def test_recorded_trials_of_which_no_label_is_known_are_said_to_be():
    train("few.h5", "long", "--chain.trials=4", "--steps=1", "--contexts=4")
    of = ("eval", "runs/long", "--store=few.h5", "--chain.loss=label", "--chain.trials=4", "--chain.trials_min=4",
          "--chain.order=history", "--eval.contexts=20")
    text, printed = run(*of).stdout, json.loads(run(*of, "--eval.format=json").stdout)
    assert printed["trials"][0] is None and printed["trials"][1] == printed["all"], printed
    assert "trial 1      no known label\n" in text and "nan" not in text, text


def main():
    global FOLDER
    with tempfile.TemporaryDirectory() as FOLDER:
        with open(os.path.join(FOLDER, "run.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        run("collect", "--groups=3", "--episodes=4", "--output=bare.h5")
        run("collect", "--groups=3", "--episodes=4", "--label=script", "--output=labelled.h5")
        forget_labels("labelled.h5", "few.h5", {1})
        forget_labels("labelled.h5", "none.h5", set())
        for ranks in (1, 2):
            test_steps_without_a_known_label_are_no_reason_to_end(ranks)
            test_a_store_that_knows_none_is_refused_with_the_way_out(ranks)
            test_recorded_labels_that_nobody_knows_are_no_result(ranks)
        test_what_is_held_out_without_a_known_label_names_no_best()
        test_stores_need_labels_only_where_they_are_learnt()
        test_recorded_trials_of_which_no_label_is_known_are_said_to_be()
    print("labels that nobody knows end nothing and are never taken for a number")


if __name__ == "__main__":
    main()
