"""Is every HDF5 file that means harm, or is broken, refused with one line before it is read?

check_hdf5_hostile.py FORMATS_TOOL"""

import fcntl
import os
import sys
import tempfile
import time

import h5py
import numpy as np

from formats_check import expect_refusal, read, run_tool

STEPS = 6
GOOD = {"observations": np.ones((STEPS, 3), np.float32), "actions": np.zeros((STEPS, 2)),
        "rewards": np.arange(STEPS) / 8, "terminals": np.arange(STEPS) == STEPS - 1,
        "timeouts": np.zeros(STEPS, bool)}


def write_good(path, libver="earliest"):
    with h5py.File(path, "w", libver=libver) as file:
        for name, array in GOOD.items():
            file[name] = array


def replaced(make):
    """A change that deletes observations and puts something else there."""
    def change(file):
        del file["observations"]
        make(file)
    return change


def sparse(shape, **options):
    return replaced(lambda file: file.create_dataset("observations", shape, np.float64, **options))


def inflated(file):
    file.create_dataset("observations", data=np.zeros((1 << 22, 4)), compression="gzip",
                        compression_opts=9, chunks=(1 << 18, 4))


def virtual(file):
    layout = h5py.VirtualLayout(shape=(STEPS, 3), dtype="f4")
    layout[...] = h5py.VirtualSource("other.h5", "x", shape=(STEPS, 3))
    file.create_virtual_dataset("observations", layout)


def virtual_without_end(file):
    layout = h5py.VirtualLayout(shape=(STEPS, 3), dtype="f4", maxshape=(None, 3))
    source = h5py.VirtualSource("other.h5", "x", shape=(STEPS, 3), maxshape=(None, 3))
    layout[: h5py.h5s.UNLIMITED, :] = source[: h5py.h5s.UNLIMITED, :]
    file.create_virtual_dataset("observations", layout)


def with_filter(number, options=()):
    def make(file):
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((STEPS, 3))
        creation.set_filter(number, h5py.h5z.FLAG_OPTIONAL, options)
        space = h5py.h5s.create_simple((STEPS, 3))
        h5py.h5d.create(file.id, b"observations", h5py.h5t.IEEE_F32LE, space, creation)
        file["observations"][...] = 1
    return replaced(make)


def deep(file):
    group = file
    for _ in range(20):
        group = group.create_group("deeper")


def cycle(file):
    file.create_group("infos")["up"] = file["/"]


def references(file):
    file["metadata/reference"] = file["actions"].ref


def regions(file):
    file["metadata/region"] = file["actions"].regionref[0:2]


def pictures(file):
    pictures = file.create_dataset("observations", (STEPS,), h5py.vlen_dtype(np.uint8))
    pictures[0] = np.arange(4, dtype=np.uint8)


def half_written(file):
    rows = file.create_dataset("observations", (400, 3), np.float32, chunks=(100, 3))
    rows[:200] = 1


def too_long(file):
    file.create_group("n" * 600)


# What h5py does to a good file, and a word of the line by which it must be refused.
BAD = {
    "numbers in another file": (replaced(lambda file: file.create_dataset(
        "observations", (STEPS, 3), np.float32,
        external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])), "numbers in another file"),
    "an external link": (replaced(lambda file: file.__setitem__(
        "observations", h5py.ExternalLink("other.h5", "/x"))), "observations: found"),
    "a soft link to nowhere": (replaced(lambda file: file.__setitem__(
        "observations", h5py.SoftLink("/nowhere"))), "observations: found"),
    "a group": (replaced(lambda file: file.create_group("observations")),
                "found a group of this name, expected an array"),
    "a named type": (replaced(lambda file: file.__setitem__("observations", np.dtype("f8"))),
                     "observations: found"),
    "a virtual data set": (replaced(virtual), "a virtual data set"),
    "a virtual data set without end": (replaced(virtual_without_end), "a virtual data set"),
    "lzf": (replaced(lambda file: file.create_dataset(
        "observations", data=np.ones((STEPS, 3)), compression="lzf")), "filter 32000 (lzf)"),
    "scale and offset": (replaced(lambda file: file.create_dataset(
        "observations", data=np.ones((STEPS, 3), int), scaleoffset=4)), "filter 6"),
    "a filter that nobody has": (with_filter(40000, (1, 2)), "filter 40000"),
    "four petabytes, chunked": (sparse((1 << 47, 4), chunks=(1024, 4)), "never written"),
    "four petabytes, contiguous": (sparse((1 << 47, 4)), "never written"),
    "beyond 64 bits": (sparse((1 << 62, 4), chunks=(1024, 4)), "never written"),
    "a bomb": (replaced(inflated), "rows"),
    "large chunks": (sparse((1 << 24, 3), chunks=(1 << 22, 3)), "never written"),
    "never written": (sparse((STEPS, 3)), "never written"),
    "never written, chunked": (sparse((STEPS, 3), chunks=(2, 3)), "never written"),
    "never written, to be compressed": (sparse((STEPS, 3), chunks=(2, 3), compression="gzip"),
                                        "never written"),
    "half written": (replaced(half_written), "never written"),
    "rows of variable length": (replaced(pictures), "values of another type"),
    "compound values": (replaced(lambda file: file.__setitem__(
        "observations", np.zeros(STEPS, [("a", "f4"), ("b", "i4")]))), "values of another type"),
    "nine dimensions": (replaced(lambda file: file.__setitem__(
        "observations", np.zeros([STEPS] + [1] * 8))), "too many dimensions"),
}

# What does no harm where nobody reads it.
HARMLESS = {
    "a soft link": lambda file: file.__setitem__("infos/x", h5py.SoftLink("/actions")),
    "a soft link to nowhere": lambda file: file.__setitem__("infos/x", h5py.SoftLink("/nowhere")),
    "an external link": lambda file: file.__setitem__("infos/x",
                                                      h5py.ExternalLink("other.h5", "/x")),
    "references": references,
    "region references": regions,
    "compound values": lambda file: file.__setitem__(
        "infos/x", np.zeros(3, [("a", "f4"), ("b", "i4")])),
    "opaque values": lambda file: file.__setitem__("infos/x", np.zeros(3, "V5")),
    "a named type": lambda file: file.__setitem__("infos/x", np.dtype("f8")),
    "two names": lambda file: file.__setitem__("infos/x", file["actions"]),
    "a circle": cycle,
    "depth": deep,
    "a long name": too_long,
    "flags that nobody has set": lambda file: (file.__delitem__("timeouts"),
                                               file.create_dataset("timeouts", (STEPS,), bool)),
    "flags in chunks that nobody has set": lambda file: (
        file.__delitem__("timeouts"),
        file.create_dataset("timeouts", (STEPS, 1), bool, chunks=(2, 1), compression="gzip")),
    "observations through a soft link": lambda file: (
        file.move("observations", "elsewhere"),
        file.__setitem__("observations", h5py.SoftLink("/elsewhere"))),
}


def check_bad(tool, path, other):
    with h5py.File(other, "w") as file:
        file["x"] = np.full((STEPS, 3), 7.0)
    for libver in ("earliest", "v110"):
        for name, (change, words) in BAD.items():
            write_good(path, libver)
            with h5py.File(path, "r+", libver=libver) as file:
                change(file)
            expect_refusal(tool, "d4rl", path, words, name=(name, libver))


def check_harmless(tool, path):
    write_good(path)
    wanted = read(tool, "d4rl", path)[1]
    for libver in ("earliest", "v110"):
        for name, change in HARMLESS.items():
            write_good(path, libver)
            with h5py.File(path, "r+", libver=libver) as file:
                change(file)
            found = read(tool, "d4rl", path)[1]
            assert str(found) == str(wanted), (name, found, wanted)


def check_advice(tool, path, folder):
    """Whoever follows it loses nothing."""
    write_good(path)
    wanted = read(tool, "d4rl", path)[1]
    with h5py.File(path, "w") as file:
        for name, array in GOOD.items():
            file.create_dataset(name, data=array, compression="lzf")
    line = expect_refusal(tool, "d4rl", path, "filter 32000 (lzf)").stderr
    advice = line[line.index("new.create_dataset"):line.index(". Not with")]
    copy = os.path.join(folder, "copy.hdf5")
    with h5py.File(path) as old, h5py.File(copy, "w") as new:
        for name in old:
            exec(advice, {"old": old, "new": new, "name": name})
    assert str(read(tool, "d4rl", copy)[1]) == str(wanted)


def check_names_are_one_line(tool, path):
    with h5py.File(path, "w") as file:
        file["episode_0/observations/a\nb\x1b[2J\u20ac"] = h5py.ExternalLink("other.h5", "/x")
        for name in ("actions", "rewards", "terminations", "truncations"):
            file["episode_0/" + name] = np.zeros((STEPS, 1))
    expect_refusal(tool, "minari", path, "a?b?[2J???: found")


def check_not_hdf5(tool, folder):
    """What is no HDF5 file, or not a whole one."""
    whole = os.path.join(folder, "whole.hdf5")
    write_good(whole)
    with open(whole, "rb") as file:
        good = file.read()
    path = os.path.join(folder, "other.hdf5")
    for name, contents, words in [
            ("empty", b"", "not HDF5"), ("text", b"observations\n", "not HDF5"),
            ("noise", np.random.default_rng(0).bytes(4096), "not HDF5"),
            ("signature alone", good[:8], "truncated"), ("half", good[: len(good) // 2], "trunc"),
            ("one byte less", good[:-1], "truncated"),
            ("zeros behind the signature", good[:8] + bytes(len(good) - 8), "truncated")]:
        with open(path, "wb") as file:
            file.write(contents)
        expect_refusal(tool, "d4rl", path, words, name=name)
    expect_refusal(tool, "d4rl", folder, "", name="a folder")
    expect_refusal(tool, "d4rl", "/dev/zero", "", name="a device")
    pipe = os.path.join(folder, "pipe")
    os.mkfifo(pipe)
    expect_refusal(tool, "d4rl", pipe, "", name="a pipe")
    expect_refusal(tool, "d4rl", os.path.join(folder, "none.hdf5"), "", code=66, name="nothing")


def check_unfinished(tool, path):
    """A file that somebody writes, or left open when he was killed."""
    write_good(path)
    with open(path, "rb") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        expect_refusal(tool, "d4rl", path, "locked by a program")
    read(tool, "d4rl", path)
    child = os.fork()
    if child == 0:
        file = h5py.File(path, "w", libver="latest")
        file["observations"] = np.zeros(3)
        file.flush()
        os._exit(0)
    os.waitpid(child, 0)
    expect_refusal(tool, "d4rl", path, "unfinished")


def check_flipped_bits(tool, path):
    """Whatever is flipped: the numbers, one line, or bad episodes; within seconds and never more."""
    random = np.random.default_rng(3)
    outcomes = {"read": 0, "refused": 0}
    for libver in ("earliest", "v110"):
        write_good(path, libver)
        with open(path, "rb") as file:
            good = bytearray(file.read())
        for _ in range(60):
            bad = bytearray(good)
            for position in random.integers(8, min(len(bad), 3000), 3):
                bad[position] ^= 1 << random.integers(8)
            with open(path, "wb") as file:
                file.write(bad)
            began = time.monotonic()
            run = run_tool(tool, "d4rl", path)
            assert time.monotonic() - began < 30
            assert run.returncode in (0, 65), (run.returncode, run.stderr)
            assert run.stderr.count("\n") == (run.returncode != 0), run.stderr
            outcomes["read" if run.returncode == 0 else "refused"] += 1
    assert outcomes["refused"] > 60, outcomes


def main():
    tool = sys.argv[1]
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "bad.hdf5")
        write_good(path)
        assert len(read(tool, "d4rl", path)[1]) == 1
        check_bad(tool, path, os.path.join(folder, "other.h5"))
        check_harmless(tool, path)
        check_advice(tool, path, folder)
        check_names_are_one_line(tool, path)
        check_not_hdf5(tool, folder)
        check_unfinished(tool, path)
        check_flipped_bits(tool, path)
    print(f"{len(BAD)} hostile files are refused, and broken ones")


if __name__ == "__main__":
    main()
