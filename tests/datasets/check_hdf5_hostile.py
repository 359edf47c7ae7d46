"""Does every HDF5 file that means harm, or is broken, end in one line, and is no other file read?

check_hdf5_hostile.py FORMATS_TOOL"""

import fcntl
import os
import sys
import tempfile
import time
import zlib

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
    """Rows of 512 MiB, each of 32 chunks that are 16 KiB as they are stored."""
    rows = file.create_dataset("observations", (STEPS, 1 << 26), np.float64, chunks=(1, 1 << 21),
                               compression="gzip")
    chunk = zlib.compress(bytes(1 << 24))
    for row in range(STEPS):
        for column in range(0, 1 << 26, 1 << 21):
            rows.id.write_direct_chunk((row, column), chunk)


def one_large_chunk(file):
    """A chunk that alone needs more memory than there is."""
    rows = file.create_dataset("observations", (STEPS, 1 << 26), np.float64,
                               chunks=(STEPS, 1 << 26), compression="gzip")
    rows.id.write_direct_chunk((0, 0), zlib.compress(bytes(1 << 20)))


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


def circle(file):
    file.create_group("infos")["up"] = file["/"]


def pictures(file):
    pictures = file.create_dataset("observations", (STEPS,), h5py.vlen_dtype(np.uint8))
    pictures[0] = np.arange(4, dtype=np.uint8)


def references(file):
    file["observations"] = np.array([file["actions"].ref] * STEPS, h5py.ref_dtype)


def half_written(file):
    rows = file.create_dataset("observations", (400, 3), np.float32, chunks=(100, 3))
    rows[:200] = 1


def external(file):
    file.create_dataset("observations", (STEPS, 3), np.float32,
                        external=[("/etc/hostname", 0, h5py.h5f.UNLIMITED)])


def put(name, thing):
    return lambda file: file.__setitem__(name, thing)


# What h5py does to a good file, and a word of the line by which it must be refused.
BAD = {
    "numbers in another file": (replaced(external), "observations: found numbers in another file"),
    "an external link": (replaced(put("observations", h5py.ExternalLink("other.h5", "/x"))),
                         "observations: found a link to another file"),
    "a group in another file": (put("infos", h5py.ExternalLink("other.h5", "/")),
                                "infos: found a link to another file"),
    "a soft link": (replaced(put("observations", h5py.SoftLink("/actions"))),
                    "observations: found a soft link"),
    "a soft link to nothing": (put("infos/qpos", h5py.SoftLink("/nowhere")),
                               "infos/qpos: found a soft link"),
    "a virtual data set": (replaced(virtual), "observations: found a virtual data set"),
    "a virtual data set without end": (replaced(virtual_without_end), "a virtual data set"),
    "lzf": (replaced(lambda file: file.create_dataset(
        "observations", data=np.ones((STEPS, 3)), compression="lzf")), "filter 32000 (LZF)"),
    "a filter that nobody has": (with_filter(40000, (1, 2)), "filter 40000"),
    "four petabytes, chunked": (sparse((1 << 47, 4), chunks=(1024, 4)), "never written"),
    "four petabytes, contiguous": (sparse((1 << 47, 4)), "never written"),
    "beyond 64 bits": (sparse((1 << 62, 4), chunks=(1024, 4)), "never written"),
    "columns beyond 64 bits": (sparse((STEPS, 1 << 40, 1 << 40), chunks=(1, 1024, 4)), "too many"),
    "large chunks": (sparse((1 << 24, 3), chunks=(1 << 22, 3)), "never written"),
    "never written": (sparse((STEPS, 3)), "observations: found numbers that were never written"),
    "never written, chunked": (sparse((STEPS, 3), chunks=(2, 3)), "never written"),
    "never written, to be compressed": (sparse((STEPS, 3), chunks=(2, 3), compression="gzip"),
                                        "never written"),
    "half written": (replaced(half_written), "never written"),
    "references": (replaced(references), "references to objects"),
    "rows of variable length": (replaced(pictures), "rows of variable length"),
    "compound values": (replaced(put("observations", np.zeros(STEPS, [("a", "f4"), ("b", "i4")]))),
                        "compound values"),
    "opaque values": (replaced(put("observations", np.zeros(STEPS, "V5"))), "another type"),
    "a named type": (replaced(put("observations", np.dtype("f8"))), "another kind"),
    "a single number": (replaced(put("observations", 1.0)), "a single number"),
    "a group": (replaced(lambda file: file.create_group("observations")),
                "observations: found a group, expected an array"),
}

# What the library accepts, and the sandbox ends: in one line, while opening or for each episode.
CONTAINED = {"a bomb": replaced(inflated), "a chunk beyond the memory": replaced(one_large_chunk)}

# What nobody reads, which must not keep anyone from reading the rest.
HARMLESS = {
    "a soft link": put("infos/x", h5py.SoftLink("/nowhere")),
    "an external link": put("infos/x", h5py.ExternalLink("other.h5", "/x")),
    "references": lambda file: file.__setitem__("metadata/reference", file["actions"].ref),
    "regions": lambda file: file.__setitem__("metadata/region", file["actions"].regionref[0:2]),
    "compound values": put("infos/x", np.zeros(3, [("a", "f4"), ("b", "i4")])),
    "opaque values": put("infos/x", np.zeros(3, "V5")),
    "a named type": put("infos/x", np.dtype("f8")),
    "two names": lambda file: file.__setitem__("infos/x", file["actions"]),
    "a circle": circle,
    "depth": deep,
    "nine dimensions": put("infos/x", np.zeros([1] * 9)),
    "a long name": lambda file: file.create_group("n" * 600),
    "an odd name": put("infos/a\nb\x1b[2J", h5py.SoftLink("/x")),
}


def write_changed(path, change, libver):
    write_good(path, libver)
    with h5py.File(path, "r+", libver=libver) as file:
        change(file)


def expect_contained(tool, path, name):
    run = run_tool(tool, "d4rl", path)
    bad = [line for line in run.stdout.splitlines()[1:] if not line.startswith('{"bad": ')]
    assert run.returncode in (0, 65) and not bad, (name, run.returncode, bad)
    lines = run.stderr.splitlines() or run.stdout.splitlines()[1:]
    assert len(lines) == 1 and path in lines[0], (name, lines)


def check_bad(tool, path, other):
    with h5py.File(other, "w") as file:
        file["x"] = np.full((STEPS, 3), 7.0)
        file["qpos"] = file["qvel"] = np.full((STEPS, 3), 7.0)
    write_good(path)
    good = read(tool, "d4rl", path)
    for libver in ("earliest", "v110"):
        for name, (change, words) in BAD.items():
            write_changed(path, change, libver)
            expect_refusal(tool, "d4rl", path, words, name=(name, libver))
        for name, change in HARMLESS.items():
            write_changed(path, change, libver)
            assert read(tool, "d4rl", path) == good, (name, libver)
    for name, change in CONTAINED.items():
        write_changed(path, change, "earliest")
        expect_contained(tool, path, name)


def check_minari(tool, path):
    """Links on the way to an episode, groups within themselves, names that command a terminal."""
    def bad(words, change):
        with h5py.File(path, "w") as file:
            episode = file.create_group("episode_0")
            for name in ("observations", "actions", "rewards"):
                episode[name] = GOOD[name]
            change(file, episode)
        expect_refusal(tool, "minari", path, words, name=words)

    def nested(_, episode):
        del episode["observations"]
        group = episode.create_group("observations")
        group["a"] = group["b"] = group

    def odd(_, episode):
        del episode["observations"]
        episode["observations/a\nb\x1b[2J\u009b2J"] = h5py.SoftLink("/x")

    def elsewhere(file, _):
        del file["episode_0"]
        file["episode_0"] = h5py.ExternalLink("other.h5", "/")

    def flat(file, _):
        del file["episode_0"]
        file["episode_0"] = np.zeros(3)
    bad("groups deep within groups", nested)
    bad("observations/a?b?[2J??2J: found a soft link", odd)
    bad("episode_0: found a link to another file", elsewhere)
    bad("episode_0: found an array, expected a group", flat)
    bad("infos/qpos: found a soft link",
        lambda _, episode: episode.__setitem__("infos/qpos", h5py.SoftLink("/x")))


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
        check_minari(tool, path)
        check_not_hdf5(tool, folder)
        check_unfinished(tool, path)
        check_flipped_bits(tool, path)
    print(f"{len(BAD) + len(CONTAINED)} hostile files end in one line, and broken ones")


if __name__ == "__main__":
    main()
