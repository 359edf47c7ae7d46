"""What is kept, and with it what made it: nothing that was made differently is taken for it.

What made a thing is a table of texts by name: options, and the commands of the stores. {folder} stays as
it is written, so that a folder may move."""

import json
import os
import re

from ladder_process import EXIT_DATA, EXIT_USAGE, fail


def read_json(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file)


def write_text(path, text):
    """All of it or nothing."""
    os.makedirs(os.path.dirname(path) or ".", exist_ok=True)
    with open(path + ".part", "w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    os.rename(path + ".part", path)


def write_json(path, value):
    write_text(path, json.dumps(value, indent=1) + "\n")


# --- What makes it ----------------------------------------------------------------------------------

def file_name(words):
    """Without what a shell would take for its own."""
    return re.sub(r"[^\w.=+*-]", "", words.replace(" ", "_"))


def run_name(experiment, model, seed):
    return file_name(f"{experiment.name}-{model.name}-{seed}")


def needed_run(experiments, store):
    """Experiment, model and seed of the run whose policy makes a store."""
    of, model_name, seed = store.needs
    for experiment in experiments:
        for model in experiment.models:
            if (experiment.name, model.name) == (of, model_name):
                return experiment, model, seed
    return fail(EXIT_USAGE, f"store {store.name}: needs a run of model \"{model_name}\" of experiment {of}, "
                            "which is not among the experiments")


def refuse_ambiguous(experiments):
    """Two different things that one file name stands for."""
    known = {}
    for experiment in experiments:
        things = [(experiment.name, experiment), *((store.name + ".h5", store) for store in experiment.stores),
                  *((run_name(experiment, model, "SEED"), model) for model in experiment.models)]
        for name, thing in things:
            is_again = name in known and not (name.endswith(".h5") and known[name] == thing)
            if is_again:
                fail(EXIT_USAGE, f"experiment {experiment.name}: found another {name} before it, expected other names")
            known[name] = thing
        for store in experiment.stores:
            if store.needs:
                needed_run(experiments, store)


def stores_made(experiments, experiment, text):
    """Of the experiment's stores that `text` names."""
    return {f"{store.name}.h5: {name}": value for store in experiment.stores if f"{{folder}}/{store.name}.h5" in text
            for name, value in store_made(experiments, experiment, store).items()}


def store_made(experiments, experiment, store):
    made = {"command": " ".join(store.command), **stores_made(experiments, experiment, " ".join(store.command))}
    if store.needs:
        needed, model, seed = needed_run(experiments, store)
        made |= {f"{run_name(needed, model, seed)}: {name}": value
                 for name, value in run_made(experiments, needed, model, seed).items()}
    return made


def model_options(experiment, model):
    stores = ",".join(f"{{folder}}/{store.name}.h5" for store in experiment.stores)
    return {name: str(value) for name, value in
            {"data.store": stores, **experiment.shared, **model.options}.items()}


def model_made(experiments, experiment, model):
    options = model_options(experiment, model)
    made = {**options, **stores_made(experiments, experiment, options["data.store"])}
    if model.begins:
        made |= {f"{model.begins}: {name}": value
                 for name, value in model_made(experiments, experiment, first_of(experiment, model)).items()}
    return made


def first_of(experiment, model):
    """The model whose run a run of this one begins from."""
    for other in experiment.models:
        if other.name == model.begins:
            return other
    fail(EXIT_USAGE, f"experiment {experiment.name}, {model.name}: found no model {model.begins} that it begins from")


def run_made(experiments, experiment, model, seed):
    return {**model_made(experiments, experiment, model), "run.seed": str(seed)}


def with_evaluation(made, evaluation):
    return {**made, **{name: str(value) for name, value in evaluation.items()}}


# --- Whether it did ---------------------------------------------------------------------------------

def difference(was, made):
    """The first of them, in words."""
    for name in sorted({*was, *made}):
        if was.get(name) != made.get(name):
            old, new = (f"{name}={table[name]}" if name in table else f"no {name}" for table in (was, made))
            return f"found {old}, expected {new}"
    return None


def mismatch(thing, is_there, record, made):
    """What is wrong with a thing that is there, or None: something else than `made` made it."""
    if os.path.exists(record):
        was = read_json(record).get("made")
    elif is_there:
        was = None
    else:
        return None
    what = "found no record of what made it" if was is None else difference(was, made)
    return what and f"{thing}: {what}"


def refuse(mismatches):
    """All of them, (what is wrong, what to delete), in one line."""
    if mismatches:
        remove = " ".join(dict.fromkeys(remove for _, remove in mismatches))
        fail(EXIT_DATA, f"{mismatches[0][0]}; delete {remove} or take another --folder")


def merge(results, old):
    """Keep those of the old results' seeds that were made as the new ones are."""
    for name, seeds in results["models"].items():
        kept = old["models"].get(name, {})
        if results["made"][name] != old.get("made", {}).get(name):
            left = sorted(set(kept) - set(seeds))
            if left:
                print(f"ladder: {results['experiment']}, {name}: made differently, not kept: seeds {', '.join(left)}",
                      flush=True)
            continue
        merged = {**kept, **seeds}
        results["models"][name] = {seed: merged[seed] for seed in sorted(merged, key=int)}
    return results
