"""Is a trajectory store what datasets/README.md says, for h5py and for those who would abuse it?

check_h5py.py STORE_TOOL README: writes the sample with the tool and reads it with h5py, runs the
README's example, and then has the tool refuse stores that h5py has changed in bad ways.
"""

import fcntl
import os
import re
import shutil
import subprocess
import sys
import tempfile

import h5py
import numpy as np

EPISODES, TASKS = 7, ["reach", "rest-v2"]


def mixed(a, rows, columns, limit):
    """As in sample.c."""
    t, i = np.indices((rows, columns))
    return ((a * 131 + t * 17 + i * 7) % limit).astype(np.float64)


def floats(a, rows, columns, limit, unit):
    return ((mixed(a, rows, columns, limit) - limit // 2) / unit).astype(np.float32)


def expect(name, found, wanted):
    found, wanted = np.asarray(found), np.asarray(wanted)
    assert found.dtype == wanted.dtype, (name, found.dtype, wanted.dtype)
    assert found.shape == wanted.shape, (name, found.shape, wanted.shape)
    assert (found == wanted).all(), (name, found, wanted)


def sample():
    """Every array that the sample must have."""
    lengths = [1 + e * 5 % 9 for e in range(EPISODES)]
    parts = {}
    for e, length in enumerate(lengths):
        observation = floats(e, length + 1, 3, 257, 8)
        observation[:, 0] = np.float32(0.1)
        parts.setdefault("observation", []).append(observation)
        parts.setdefault("action", []).append(floats(e, length, 2, 257, 128))
        parts.setdefault("physics", []).append(mixed(e, length + 1, 4, 1009) / 7)
        parts.setdefault("episode/hidden", []).append(mixed(e, 1, 2, 1009) / 7)
        for k, task in enumerate(TASKS):
            reward = floats(e + k, length, 1, 9, 8)[:, 0]
            parts.setdefault(f"reward/{task}", []).append(reward)
            parts.setdefault(f"episode/return/{task}", []).append([reward.sum(dtype=float)])
    arrays = {name: np.concatenate(pieces) for name, pieces in parts.items()}
    arrays["episode/length"] = np.array(lengths, np.int64)
    arrays["episode/start"] = np.cumsum([0] + lengths[:-1], dtype=np.int64)
    arrays["episode/end"] = np.arange(EPISODES, dtype=np.uint8) % 3
    arrays["episode/group"] = np.arange(EPISODES, dtype=np.int64) // 3 - 1
    return arrays


def check_contents(path):
    wanted = sample()
    with h5py.File(path, "r") as store:
        names = []
        store.visititems(lambda name, item: names.append(name) if hasattr(item, "shape") else None)
        hashed = ["observation", "action", "physics"] + ["reward/" + task for task in TASKS]
        blocks = {"block/hash/" + name for name in hashed}
        assert set(names) == set(wanted) | {"episode/hash"} | blocks, names
        for name, array in wanted.items():
            expect(name, store[name][:], array)
            assert store[name].chunks is None and store[name].compression is None
        assert store["episode/hash"].dtype == np.uint64 and len(set(store["episode/hash"])) == EPISODES
        check_attributes(store.attrs, wanted)


def check_attributes(attrs, wanted):
    steps = len(wanted["action"])
    texts = {"format": "chainring-trajectories", "domain": "point_mass",
             "simulator": "MuJoCo 2.2.2", "source": "a formula, in 20 \u00b5s"}
    for name, text in texts.items():
        assert attrs[name].decode() == text, (name, attrs[name])
    assert [task.decode() for task in attrs["tasks"]] == TASKS
    assert [text.decode() for text in attrs["reward_source"]] == ["simulated", "relabelled"]
    counts = {"version": 3, "obs_dim": 3, "act_dim": 2, "physics_dim": 4, "hidden_dim": 2,
              "episodes": EPISODES, "steps": steps,
              "blocks": EPISODES, "block_rows": 256, "label_dim": 0}
    for name, count in counts.items():
        expect(name, attrs[name], np.int64(count))
    expect("control_timestep", attrs["control_timestep"], np.float64(0.02))
    assert attrs["index_hash"].dtype == np.uint64
    observation = wanted["observation"].astype(np.float64)
    assert np.allclose(attrs["observation_mean"], observation.mean(0), rtol=1e-12, atol=1e-12)
    assert np.allclose(attrs["observation_std"][1:], observation.std(0)[1:], rtol=1e-12)
    assert attrs["observation_std"][0] == 0
    returns = np.array([wanted[f"episode/return/{task}"] for task in TASKS])
    expect("return_minimum", attrs["return_minimum"], returns.min(1))
    expect("return_maximum", attrs["return_maximum"], returns.max(1))
    assert np.allclose(attrs["return_mean"], returns.mean(1), rtol=1e-12)
    percentiles = np.percentile(returns, attrs["percentiles"], axis=1).T
    assert attrs["return_percentiles"].shape == (2, 9)
    assert np.allclose(attrs["return_percentiles"], percentiles, rtol=1e-12)


def check_example(path, readme):
    with open(readme, encoding="utf-8") as file:
        example = re.search(r"```python\n(.*?)```", file.read(), re.S).group(1)
    assert len([line for line in example.splitlines() if line]) <= 20
    run = subprocess.run([sys.executable, "-c", example, path], capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    returns = sample()["episode/return/reach"]
    assert f"{EPISODES} episodes of point_mass" in run.stdout, run.stdout
    assert f"return {returns.max():g}\n" in run.stdout, run.stdout


def replace(store, name, **options):
    """The same numbers, stored in another way."""
    data = store[name][:]
    del store[name]
    store.create_dataset(name, data=data, **options)


def replace_type(store, name, kind):
    data = store[name][:]
    del store[name]
    store.create_dataset(name, data=data.astype(kind))


def replace_by(store, name, link):
    del store[name]
    store[name] = link


def replace_virtual(store, name):
    shape, kind = store[name].shape, store[name].dtype
    del store[name]
    layout = h5py.VirtualLayout(shape=shape, dtype=kind)
    layout[...] = h5py.VirtualSource("other.h5", name, shape=shape)
    store.create_virtual_dataset(name, layout)


def replace_external(store, name):
    shape, kind = store[name].shape, store[name].dtype
    del store[name]
    store.create_dataset(name, shape, kind, external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])


def replace_sparse(store, name):
    shape, kind = store[name].shape, store[name].dtype
    del store[name]
    store.create_dataset(name, shape, kind)  # contiguous, never written: no storage


def attribute(name, value):
    def change(store):
        if value is None:
            del store.attrs[name]
        else:
            store.attrs[name] = value
    return change


def edit(name, episode, value):
    def apply(store):
        data = store[name][:]
        assert data[episode] != value
        data[episode] = value
        store[name][...] = data
    return apply


def soft_group(store):
    store.move("reward", "elsewhere")
    store["reward"] = h5py.SoftLink("/elsewhere")


# What h5py does to a good store, and a word of the line by which it must be refused.
BAD = {
    "another format": (attribute("format", np.bytes_("d4rl")), "another format"),
    "a later version": (attribute("version", np.int64(4)), "format version 4"),
    "sources that are not there": (attribute("version", np.int64(2)), "no attribute sources"),
    "no version": (attribute("version", None), "no attribute version"),
    "version is float": (attribute("version", 1.0), "attribute version of another type"),
    "domain of any length": (attribute("domain", "point_mass"), "attribute domain of another type"),
    "domain with a line feed": (attribute("domain", np.bytes_("a\nb")), "domain"),
    "a long domain": (attribute("domain", np.bytes_("d" * 64)), "a longer text"),
    "a huge text": (attribute("source", np.bytes_("d" * 5000)), "another type"),
    "too many tasks": (attribute("tasks", np.array([b"t%d" % i for i in range(17)])), "17 strings"),
    "a task of another name": (attribute("tasks", np.array([b"reach", b"run"])), "no reward/run"),
    "a task that is a path": (attribute("tasks", np.array([b"reach", b"../action"])), "task 1"),
    "tasks twice": (attribute("tasks", np.array([b"reach", b"reach"])), "reach twice"),
    "one reward_source": (attribute("reward_source", np.array([b"simulated"])), "reward_source"),
    "negative obs_dim": (attribute("obs_dim", np.int64(-3)), "obs_dim = -3"),
    "other obs_dim": (attribute("obs_dim", np.int64(4)), "observation_mean"),
    "absurd episodes": (attribute("episodes", np.int64(2**62)), "episodes = "),
    "absurd steps": (attribute("steps", np.int64(2**63 - 1)), "steps = "),
    "one step more": (attribute("steps", np.int64(32)), "extent"),
    "timestep of 0": (attribute("control_timestep", 0.0), "control_timestep"),
    "mean is NaN": (attribute("observation_mean", np.array([0, np.nan, 0])), "observation_mean"),
    "deviation below 0": (attribute("observation_std", np.array([0, -1.0, 1])), "observation_std"),
    "no action": (lambda store: store.__delitem__("action"), "no action"),
    "no physics": (lambda store: store.__delitem__("physics"), "no physics"),
    "a group for action": (lambda store: replace_by(store, "action", store["reward"]),
                           "something else"),
    "a soft link": (lambda store: replace_by(store, "action", h5py.SoftLink("/observation")),
                    "soft or external link at action"),
    "a soft link on the way": (soft_group, "soft or external link at reward"),
    "an external link": (
        lambda store: replace_by(store, "episode/hash", h5py.ExternalLink("other.h5", "/x")),
        "soft or external link at episode/hash"),
    "a virtual data set": (lambda store: replace_virtual(store, "action"), "virtual"),
    "an external file": (lambda store: replace_external(store, "action"), "external"),
    "chunks": (lambda store: replace(store, "action", chunks=(4, 2)), "chunked"),
    "gzip": (lambda store: replace(store, "observation", compression="gzip"), "filtered"),
    "checksums": (lambda store: replace(store, "physics", fletcher32=True), "filtered"),
    "nothing written": (lambda store: replace_sparse(store, "action"), "storage for action"),
    "float64 for float32": (lambda store: replace_type(store, "action", "<f8"), "float32"),
    "big-endian": (lambda store: replace_type(store, "action", ">f4"), "little-endian float32"),
    "big-endian index": (lambda store: replace_type(store, "episode/start", ">i8"),
                         "little-endian int64"),
    "uint64 for int64": (lambda store: replace_type(store, "episode/length", "<u8"), "int64"),
    "another group": (edit("episode/group", 3, 99), "over the index"),
    "another hash of a block": (edit("block/hash/action", 3, 99), "over the index"),
    "another mean": (attribute("observation_mean", np.array([0.1, 0, 0])), "over the attributes"),
    "another simulator": (attribute("simulator", np.bytes_("MuJoCo 2.2.3")), "over the attributes"),
    "another largest return": (attribute("return_maximum", np.zeros(2)), "over the attributes"),
    "other bounds of actions": (attribute("action_low", np.array([-2.0, -1])),
                                "over the attributes"),
    "bounds that are none": (attribute("action_low", np.array([np.nan, -1])), "bounds nan"),
    "an unknown kind of actions": (attribute("action_kind", np.bytes_("text")), "action_kind"),
    "blocks of another size": (attribute("block_rows", np.int64(128)), "block_rows = 128"),
    "one block more": (attribute("blocks", np.int64(8)), "extent"),
}

# What is still wrong when even the hash of the index has been made to fit.
BAD_INDEX = {
    "a gap": (edit("episode/start", 2, 9), "start 9"),
    "a negative length": (edit("episode/length", 1, -6), "length -6 of episode 1"),
    "no length": (edit("episode/length", 0, 0), "length 0 of episode 0"),
    "an absurd length": (edit("episode/length", 6, 2**63 - 1), "of episode 6"),
    "a step too few": (edit("episode/length", 6, 3), "30 of 31 steps"),
    "an unknown end": (edit("episode/end", 4, 3), "end = 3 of episode 4"),
    "a return that is no number": (edit("episode/return/reach", 5, np.nan), "return nan of episode 5"),
}


def run_tool(tool, verb, path):
    return subprocess.run([tool, verb, path], capture_output=True, text=True, timeout=60)


def spoil(good, bad, change):
    shutil.copyfile(good, bad)
    with h5py.File(bad, "r+", libver="v110") as store:
        change(store)


def expect_refusal(tool, bad, name, words):
    run = run_tool(tool, "verify", bad)
    assert run.returncode == 65, (name, run.returncode, run.stdout, run.stderr)
    assert words in run.stderr and bad in run.stderr, (name, run.stderr)
    assert run.stderr.count("\n") == 1, (name, run.stderr)


def make_hash_fit(tool, bad, attribute, words):
    """The refusal says which hash would fit."""
    line = run_tool(tool, "verify", bad).stderr
    value = int(re.search(r"found hash ([0-9a-f]{16}) over " + words, line).group(1), 16)
    with h5py.File(bad, "r+", libver="v110") as store:
        store.attrs[attribute] = np.uint64(value)


def make_hashes_fit(tool, bad):
    """Those of the index and of the attributes; the latter is looked at first."""
    make_hash_fit(tool, bad, "index_hash", "the index")
    make_hash_fit(tool, bad, "description_hash", "the attributes")


def check_refusals(tool, good, folder):
    bad = os.path.join(folder, "bad.h5")
    for name, (change, words) in BAD.items():
        spoil(good, bad, change)
        expect_refusal(tool, bad, name, words)
    for name, (change, words) in BAD_INDEX.items():
        spoil(good, bad, change)
        make_hashes_fit(tool, bad)
        expect_refusal(tool, bad, name, words)


def check_old_format(tool, folder):
    """Metadata without checksums are refused, whatever else the file holds."""
    old = os.path.join(folder, "old.h5")
    with h5py.File(old, "w", libver="earliest") as store:
        store["action"] = np.zeros((3, 2), np.float32)
    run = run_tool(tool, "verify", old)
    assert run.returncode == 65 and "superblock version 0" in run.stderr, run.stderr


def check_locked(tool, good):
    """Somebody who holds a lock on the file is no hindrance to a reader."""
    with open(good, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        run = run_tool(tool, "verify", good)
        assert run.returncode == 0, run.stderr


def main():
    tool, readme = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        good = os.path.join(folder, "good.h5")
        run = run_tool(tool, "write", good)
        assert run.returncode == 0, run.stderr
        assert os.listdir(folder) == ["good.h5"]
        check_contents(good)
        check_example(good, readme)
        check_locked(tool, good)
        check_refusals(tool, good, folder)
        check_old_format(tool, folder)
    print(f"h5py reads the sample, and {len(BAD) + len(BAD_INDEX) + 1} bad stores are refused")


if __name__ == "__main__":
    main()
