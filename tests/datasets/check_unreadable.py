"""Are forms that are not read called by their names, with a way that works?

check_unreadable.py LAUNCHER PROGRAM
"""

import os
import pickle
import re
import sys
import tempfile

import numpy as np

from convert_check import Program, episode_of, open_store, same


def put(program, name, content=b""):
    path = os.path.join(program.folder, name)
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as file:
        file.write(content)
    return path


def test_forms_that_are_not_read_are_called_by_their_names(program):
    files = {
        "hopper.parquet": (b"PAR1....PAR1", "a Parquet file", "pyarrow.dataset.dataset"),
        "hopper.feather": (b"ARROW1\0\0....ARROW1", "an Arrow or Feather file", 'format="feather"'),
        "hopper.arrow": (b"\xff\xff\xff\xff", "a stream of Arrow", "pyarrow.ipc.open_stream"),
        "hopper.tfrecord-00000-of-00001": (b"x", "TensorFlow records", "builder_from_directory"),
        "hopper.pkl": (b"\x80\4", "a pickle, which can run any code", "pickle.load"),
    }
    for name, (content, what, python) in files.items():
        expect_name(program, put(program, name, content), what, python)
    folders = {
        "lerobot": (["meta/info.json", "data/chunk-000/file-000.parquet"], "a LeRobot data set", "episode_index"),
        "rlds": (["features.json", "dataset_info.json", "x-train.tfrecord-00000-of-00001"], "RLDS", "steps"),
        "records": (["x.tfrecord"], "TensorFlow records", "steps"),
        "hugging": (["dataset_info.json", "data-00000-of-00001.arrow"], "a HuggingFace data set", "load_from_disk"),
        "splits": (["dataset_dict.json", "train/state.json"], "splits of a HuggingFace data set", '["train"]'),
        "parquet": (["part-0.parquet"], "Parquet files", "pyarrow.dataset.dataset"),
        "arrow": (["part-0.arrow"], "Arrow files", "pyarrow.dataset.dataset"),
        "zarr2": ([".zgroup", "data/.zgroup", "meta/.zgroup"], "a zarr data set", "episode_ends"),
        "zarr3": (["zarr.json", "data/zarr.json"], "a zarr data set", "episode_ends"),
    }
    for folder, (names, what, python) in folders.items():
        for name in names:
            put(program, os.path.join(folder, name), b"{}")
        expect_name(program, os.path.join(program.folder, folder), what, python)
    put(program, "minari/data/metadata.json", b'{"data_format": "arrow", "dataset_id": "x"}')
    program.refuse(os.path.join(program.folder, "minari"), ['"arrow"', "minari.load_dataset"])


def expect_name(program, path, what, python):
    program.refuse(path, [path, what, python, "length.npy", "datasets/README.md"])


def test_what_the_line_says_makes_arrays(program):
    """The statements for a pickle, completed as it says, give the arrays that were pickled."""
    random = np.random.default_rng(7)
    episodes = [{"observations": random.standard_normal((length, 3)), "rewards": random.standard_normal(length),
                 "actions": random.uniform(-1, 1, (length, 2)).astype(np.float32)} for length in (5, 2)]
    path = put(program, "hopper.pkl", pickle.dumps(episodes))
    line = program.run("convert", path, "--output=" + path + ".h5").stderr
    statements = re.search(r"in Python: (.*); likewise", line).group(1)
    for name, key in (("action", "actions"), ("reward", "rewards")):
        statements += f'; numpy.save("{name}.npy", numpy.concatenate([x["{key}"] for x in e]))'
    folder = os.path.join(program.folder, "arrays")
    os.makedirs(folder)
    before = os.getcwd()
    os.chdir(folder)
    exec(statements.replace("FILE", path), {"numpy": np, "pickle": pickle})
    os.chdir(before)
    store, _ = program.convert(folder, "arrays.h5")
    with open_store(store) as found:
        assert list(found["episode/length"]) == [5, 2]
        same(episode_of(found, 1)["action"], episodes[1]["actions"])
        same(episode_of(found, 1)["recorded"], episodes[1]["rewards"].astype(np.float32))


def main():
    launcher, path = sys.argv[1:]
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(Program(launcher, path, folder))
    print(f"{len(tests)} tests passed")


if __name__ == "__main__":
    main()
