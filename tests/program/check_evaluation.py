#!/usr/bin/python3
"""Looking while training: the weights are those of a run without, the best checkpoint stays, and a
run that was killed goes on to the same end.

usage: check_evaluation.py SCRIPTS_MPI CHAINRING WRITE_FAULT"""

import json
import os
import shutil
import subprocess
import sys
import tempfile

PROGRAM, SHIM, FOLDER = sys.argv[1:3], sys.argv[3], None
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


def run(*arguments, ranks=1, code=0, faults=None):
    launcher = [PROGRAM[0], str(ranks)] if ranks > 1 else []
    done = subprocess.run([*launcher, PROGRAM[1], *arguments], capture_output=True, text=True, timeout=300,
                          cwd=FOLDER, env={**os.environ, **(faults or {})})
    assert done.returncode == code, (arguments, done.returncode, done.stderr)
    return done


def train(name, *options, **how):
    return run("train", "run.yaml", "--run.name=" + name, *options, **how)


def fault(kind, *names):
    """The first call that changes such a file goes wrong (tests/support/write_fault.c)."""
    path = os.path.join(os.path.realpath(FOLDER), "runs", *names)
    return {"LD_PRELOAD": SHIM, "WRITE_FAULT_FOLDER": path, "WRITE_FAULT_CALL": "1", "WRITE_FAULT_KIND": kind}


def the_line(done):
    """What a refusal says: one line."""
    lines = [line for line in done.stderr.splitlines() if line.startswith("chainring: ")]
    assert len(lines) == 1, done.stderr
    return lines[0]


def expect(line, *words):
    for word in words:
        assert word in line, (word, line)


def read(*names):
    with open(os.path.join(FOLDER, "runs", *names), "rb") as file:
        return file.read()


def weights(name, step=24):
    return read(name, "ckpt", f"step-{step}", "model.safetensors")


def status(name):
    return json.loads(read(name, "status.json"))


def steps(name):
    return set(os.listdir(os.path.join(FOLDER, "runs", name, "ckpt")))


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


def test_training_plays_as_eval_does():
    how = ("--eval.trials=2", "--eval.target=5", "--eval.explore=0.3")
    train("as_eval", "--evaluate_every=8", "--evaluate_contexts=3", "--steps=8", *how)
    run("eval", "runs/as_eval", "--contexts=3", "--seed=2000", "--output=as_eval.json")
    with open(os.path.join(FOLDER, "as_eval.json"), encoding="utf-8") as file:
        said = json.load(file)
    policy = next(row for row in said["behaviours"] if row["behaviour"] == "policy")
    last = [trials[-1] for trials in policy["returns"]]
    assert said["trials"] == 2 and len(last) == 3, said
    found = evaluations("as_eval")[-1]["last_trial"]
    assert abs(found - sum(last) / len(last)) < 1e-9 * abs(found), (found, last)


def test_what_cannot_be_played_is_refused_before_the_first_step():
    options = ("--evaluate_every=8", "--evaluate_contexts=3")
    for option, words in (("--sample=yes", ("eval.sample: found yes, expected no", "runs/never")),
                          ("--eval.task=walker_walk", ("task walker_walk: found 24 observations, expected 4",)),
                          ("--eval.task=walker_wlak", ("walker_wlak",))):
        expect(the_line(train("never", *options, option, code=78)), *words)
        assert not os.path.exists(os.path.join(FOLDER, "runs/never/metrics.jsonl"))
    train("never", "--eval.sample=yes", "--steps=1")  # nothing is played


def test_a_run_that_stopped_goes_on_to_the_same_end():
    options = ("--data.holdout=0.2", "--evaluate_every=5", "--evaluate_contexts=3")
    train("stopped", *options, "--until=12", code=75)
    train("stopped", *options)
    assert weights("stopped") == weights("looking") and evaluations("stopped") == evaluations("looking")
    assert read("stopped", "best.json") == read("looking", "best.json")


def test_a_checkpoint_that_is_not_written_is_not_evaluated(ranks):
    options = ("--evaluate_every=8", "--evaluate_contexts=3", "--steps=16")
    for name, extra in (("full", ()), ("full_loss", ("--data.holdout=0.2",))):
        done = train(name, *options, *extra, ranks=ranks, faults=fault("error", name, "ckpt", ".tmp-step-8"))
        expect(done.stderr, "the older checkpoint is kept", "step 8 is not evaluated")
        assert [line["step"] for line in evaluations(name)] == [16]
        assert json.loads(read(name, "best.json"))["step"] == 16 and steps(name) == {"step-16"}


def test_the_last_evaluation_is_made_up(ranks):
    options = ("--data.holdout=0.2", "--evaluate_every=100", "--evaluate_contexts=3")
    train("last", *options, ranks=ranks)
    train("cut", *options, ranks=ranks, code=137 if ranks > 1 else -9, faults=fault("kill", "cut", "best.json"))
    assert status("cut")["state"] == "running" and status("cut")["step"] == 24
    done = train("cut", *options, ranks=ranks)
    assert "is complete" not in done.stderr and status("cut")["state"] == "done", done.stderr
    assert status("cut")["loss"] == status("last")["loss"] is not None
    assert read("cut", "best.json") == read("last", "best.json") and weights("cut") == weights("last")
    before = read("cut", "metrics.jsonl"), read("cut", "best.json")
    done = train("cut", *options, ranks=ranks)
    expect(done.stderr, "is complete: 24 steps are done")
    assert before == (read("cut", "metrics.jsonl"), read("cut", "best.json"))
    assert status("cut")["state"] == "done" and status("cut")["loss"] == status("last")["loss"]


def test_a_best_that_is_gone_is_named_and_found_anew():
    options = ("--data.holdout=0.2", "--evaluate_every=5", "--evaluate_contexts=3")
    shutil.copytree(os.path.join(FOLDER, "runs/looking"), os.path.join(FOLDER, "runs/lost"))
    best = {**json.loads(read("lost", "best.json")), "step": 7}  # which never was
    with open(os.path.join(FOLDER, "runs/lost/best.json"), "w", encoding="utf-8") as file:
        file.write(json.dumps(best) + "\n")
    line = the_line(run("eval", "runs/lost", "--checkpoint=best", code=66))
    expect(line, "runs/lost/ckpt/step-7", "leave the checkpoint out", "repeat the run's training command")
    expect(train("lost", *options).stderr, "step-7: the best checkpoint is gone")
    assert json.loads(read("lost", "best.json"))["step"] == 24
    run("eval", "runs/lost", "--checkpoint=best", "--contexts=2")


def test_nothing_to_measure_names_no_best():
    line = the_line(train("blind", "--evaluate_every=8", "--evaluate_contexts=0", code=78))
    expect(line, "train.evaluate_every: found 8", "data.holdout or train.evaluate_contexts")
    assert not os.path.exists(os.path.join(FOLDER, "runs/blind"))
    with open(os.path.join(FOLDER, "table.csv"), "w", encoding="utf-8") as file:
        file.write("episode,observation_0,action_0,reward\n" + "".join(f"{e},{e},0,1\n{e},2,1,{e}\n" for e in range(4)))
    run("convert", "table.csv", "--output=table.h5")
    options = ("--data.store=table.h5", "--evaluate_every=8", "--steps=8")
    expect(train("nowhere", *options).stderr, "nothing to measure at step 8", "no environment", "data.holdout")
    assert json.loads(read("nowhere", "best.json"))["step"] == 0
    expect(the_line(run("eval", "runs/nowhere", "--checkpoint=best", code=66)), "no best checkpoint", "data.holdout")


def test_changed_data_options_are_named():
    stores = ("--data.store=store.h5,store.h5", "--steps=2")
    train("mixed", *stores, "--until=1", code=75)
    expect(the_line(train("mixed", *stores, "--data.holdout=0.2", code=65)), "data.holdout = 0, found 0.2 now")
    expect(the_line(train("mixed", *stores, "--data.weights=1,2", code=65)), 'data.weights = "", found "1,2" now')
    train("mixed", *stores)


def test_recorded_actions_are_predicted_on_any_number_of_ranks():
    text = run("eval", "runs/looking", "--store=store.h5", "--contexts=20").stdout
    assert "mean squared error per component" in text and "trial 3" in text, text
    one, two = (json.loads(run("eval", "runs/looking", "--store=store.h5", "--contexts=20", "--eval.format=json",
                               ranks=ranks).stdout) for ranks in (1, 2))
    more = json.loads(run("eval", "runs/looking", "--store=store.h5", "--contexts=32", "--eval.format=json").stdout)
    assert more["chains"] == 32 and more["all"] != one["all"]  # as many chains as were asked for
    assert abs(one["all"] - two["all"]) < 1e-5 * one["all"] and len(one["trials"]) == 3
    run("collect", "--task=walker_walk", "--policy=random", "--groups=1", "--episodes=1", "--output=walker.h5")
    refused = run("eval", "runs/looking", "--store=walker.h5", code=78).stderr
    assert "other actions than" in refused, refused


def recorded(*options, ranks=1):
    return json.loads(run("eval", *options, "--contexts=40", "--json", ranks=ranks).stdout)


def test_a_part_of_the_store_is_the_run_s_own():
    of = ("runs/looking", "--store=store.h5")
    all_of_it, trained, held_out = (recorded(*of, *part)
                                    for part in ((), ("--part=trained",), ("--part=held_out",)))
    assert len({line["all"] for line in (all_of_it, trained, held_out)}) == 3
    assert (all_of_it["part"], held_out["part"]) == ("all", "held_out")
    assert "(the part held out)" in run("eval", *of, "--part=held_out", "--contexts=4").stdout
    # Two stores whose shares the run has given.
    train("shares", "--data.store=store.h5,store.h5", "--data.weights=1,2", "--data.holdout=0.2", "--steps=1")
    recorded("runs/shares", "--store=store.h5,store.h5", "--part=held_out")
    line = the_line(run("eval", "runs/shares", "--store=store.h5", "--part=held_out", code=78))
    expect(line, "eval.part: found held_out", 'data.weights: found "1,2", expected 1 number')
    line = the_line(run("eval", "runs/played", "--store=store.h5", "--part=held_out", code=78))
    expect(line, "eval.part: found held_out", "nothing held out", "eval.part=all")
    run("collect", "--groups=20", "--episodes=4", "--seed=7", "--output=another.h5")
    line = the_line(run("eval", "runs/looking", "--store=another.h5", "--part=trained", code=78))
    expect(line, "eval.part: found trained", "another.h5 is not the data", "runs/looking")


def test_scores_that_cannot_be_written_are_no_success():
    arguments = [PROGRAM[1], "eval", "runs/looking", "--store=store.h5", "--contexts=4"]
    full = os.open("/dev/full", os.O_WRONLY)
    end, pipe = os.pipe()
    os.close(end)
    for output in (full, pipe):
        for form in ("text", "json"):
            # Python ignores the signal of a closed pipe, and the program inherits that.
            done = subprocess.run([*arguments, "--format=" + form], stdout=output, stderr=subprocess.PIPE, text=True,
                                  timeout=300, cwd=FOLDER, restore_signals=False)
            assert done.returncode == 74, (done.returncode, done.stderr)
            expect(the_line(done), "standard output: the scores cannot be written")
        os.close(output)


def test_a_run_begins_from_another():
    train("again", "--from=runs/looking", "--steps=24", "--warmup=0", "--rate=0")
    assert weights("again") == weights("looking")
    # Longer chains have longer tables, whose new rows are the last trained one.
    done = train("longer", "--from=runs/looking", "--steps=1", "--rate=0", "--chain.trials=4")
    assert "begin: from the weights in runs/looking/ckpt/step-24" in done.stderr, done.stderr
    train("longer", "--from=runs/looking", "--steps=1", "--rate=0", "--chain.trials=4")
    refusals = {
        "runs/gone": (66, "runs/gone, which is no folder", "runs/NAME/ckpt/step-N"),
        "run.yaml": (66, "run.yaml, which is no folder", "the folder of a trained run"),
        "runs": (66, "runs, which has no checkpoint"),
    }
    for named, (code, *words) in refusals.items():
        expect(the_line(train("none", "--from=" + named, code=code)), "train.from: found ", *words)
    for option, words in (("model.hidden=64", "32, found 64"), ("model.head=gaussian", "tanh, found gaussian"),
                          ("chain.rewarded_trials=2", "0, found 2")):
        line = the_line(train("wider", "--from=runs/looking", "--" + option, code=78))
        expect(line, "train.from: ", option.split("=")[0] + " = " + words + " now", "begin from another run")
        assert "run.name" not in line


def test_a_run_begins_from_a_checkpoint_of_another():
    for path in ("ckpt/step-24", "ckpt/step-24/"):
        done = train("of_step", "--from=runs/looking/" + path, "--steps=1", "--rate=0")
        assert "begin: from the weights in" in done.stderr or "is complete" in done.stderr, done.stderr
        assert weights("of_step", 1) == weights("looking")
    best = json.loads(read("looking", "best.json"))["step"]
    train("of_best", "--from=runs/looking/best", "--steps=1", "--rate=0")
    assert weights("of_best", 1) == weights("looking", best)


def test_a_run_that_began_from_another_goes_on_without_it():
    options = ("--data.store=other.h5", "--chain.trials=2", "--steps=6")
    run("collect", "--groups=9", "--episodes=6", "--seed=3", "--output=other.h5")
    train("source", "--steps=2", "--chain.trials=4")
    train("heir", *options, "--from=runs/source")
    train("cut_heir", *options, "--from=runs/source", "--until=2", code=75)
    train("source", "--steps=4", "--chain.trials=4")  # has another newest checkpoint now
    done = train("cut_heir", *options, "--from=runs/source", "--until=3", code=75)
    assert "warning" not in done.stderr, done.stderr
    os.rename(os.path.join(FOLDER, "runs/source"), os.path.join(FOLDER, "runs/moved"))
    train("cut_heir", *options, "--from=runs/source", "--until=4", code=75)
    done = train("cut_heir", *options, "--from=runs/moved", "--until=5", code=75)
    expect(done.stderr, "train.from: found runs/moved, but this run goes on from runs/cut_heir/ckpt/step-4")
    train("cut_heir", *options)
    assert weights("cut_heir", 6) == weights("heir", 6)
    expect(the_line(train("cut_heir", *options, "--chain.trials=5", code=65)), "chain.trials = 4, found 5 now")


def test_options_that_the_source_overrules_are_named():
    options = ("--from=runs/looking", "--steps=1", "--rate=0")
    done = train("overruled", *options, "--data.normalize=no", "--data.return_scale=3", "--data.reward_scale=2")
    lines = [line for line in done.stderr.splitlines() if line.startswith("warning: ")]
    assert len(lines) == 1, done.stderr
    expect(lines[0], "data.normalize=no data.return_scale=3 data.reward_scale=2", "runs/looking")
    assert "warning" not in train("heeded", *options).stderr


def main():
    global FOLDER
    with tempfile.TemporaryDirectory() as FOLDER:
        with open(os.path.join(FOLDER, "run.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        run("collect", "--groups=20", "--episodes=4", "--output=store.h5")
        test_weights_are_those_of_a_run_without(1)
        test_the_best_stays_beside_the_newest()
        test_without_what_is_held_out_the_last_trial_decides()
        test_training_plays_as_eval_does()
        test_what_cannot_be_played_is_refused_before_the_first_step()
        test_a_run_that_stopped_goes_on_to_the_same_end()
        test_a_checkpoint_that_is_not_written_is_not_evaluated(1)
        test_the_last_evaluation_is_made_up(1)
        test_recorded_actions_are_predicted_on_any_number_of_ranks()
        test_a_part_of_the_store_is_the_run_s_own()
        test_scores_that_cannot_be_written_are_no_success()
        test_a_best_that_is_gone_is_named_and_found_anew()
        test_nothing_to_measure_names_no_best()
        test_changed_data_options_are_named()
        test_a_run_begins_from_another()
        test_a_run_begins_from_a_checkpoint_of_another()
        test_a_run_that_began_from_another_goes_on_without_it()
        test_options_that_the_source_overrules_are_named()
    with tempfile.TemporaryDirectory() as FOLDER:
        with open(os.path.join(FOLDER, "run.yaml"), "w", encoding="utf-8") as file:
            file.write(CONFIG)
        run("collect", "--groups=20", "--episodes=4", "--output=store.h5")
        test_weights_are_those_of_a_run_without(2)
        test_a_checkpoint_that_is_not_written_is_not_evaluated(2)
        test_the_last_evaluation_is_made_up(2)
    print("evaluation while training changes nothing and keeps the best")


if __name__ == "__main__":
    main()
