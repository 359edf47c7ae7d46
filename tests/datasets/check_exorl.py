"""Does ExoRL's data come into a store as it is, and out again to the bit; is broken data refused?

check_exorl.py LAUNCHER PROGRAM: makes npz files as numpy does and converts them.
"""

import io
import os
import shutil
import struct
import sys
import tarfile
import tempfile
import warnings
import zipfile

import numpy as np

from convert_check import Program, episode_of, open_store, same, same_file, tasks_of
from formats_check import fixture

LENGTHS = [7, 1, 40, 3, 12]
KEYS = ["observation", "action", "reward", "discount", "physics"]


def sample(number, length, rewards=1):
    """An episode as ExoRL records it: row 0 is the reset."""
    random = np.random.default_rng([number, length])
    rows = length + 1
    episode = {
        "observation": random.standard_normal((rows, 5)).astype(np.float32),
        "action": random.uniform(-1, 1, (rows, 2)).astype(np.float32),
        "reward": random.uniform(0, 1, (rows, rewards)).astype(np.float32),
        "discount": np.ones((rows, 1), np.float32),
        "physics": random.standard_normal((rows, 3)),
    }
    episode["action"][0] = 0
    episode["reward"][0] = 0
    if number % 2:
        episode["discount"][-1] = 0
    return episode


def write_folder(folder, episodes, save=np.savez_compressed):
    os.makedirs(folder)
    for number, episode in enumerate(episodes):
        name = f"episode_{number:06d}_{len(episode['action']) - 1}.npz"
        save(os.path.join(folder, name), **episode)
    return folder


def samples(**options):
    return [sample(number, length, **options) for number, length in enumerate(LENGTHS)]


def npy(array, version=None):
    stream = io.BytesIO()
    np.lib.format.write_array(stream, array, version=version)
    return stream.getvalue()


def write_npz(path, members, **options):
    """Members as bytes, so that they can be what numpy would not write."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content, **options)


def members_of(episode):
    return {name + ".npy": npy(array) for name, array in episode.items()}


# --- What comes in -------------------------------------------------------------------------------

def test_rows_are_aligned_as_dm_env_counts_them(program, folder):
    path, text = program.convert(folder, "aligned.h5")
    assert f"{len(LENGTHS)} episodes, {sum(LENGTHS)} steps" in text, text
    with open_store(path) as store:
        assert tasks_of(store) == ["recorded"]
        for number, episode in enumerate(samples()):
            found = episode_of(store, number)
            same(found["observation"], episode["observation"])
            same(found["action"], episode["action"][1:])
            same(found["recorded"], episode["reward"][1:, 0])
            same(found["physics"], episode["physics"])
            assert found["end"] == (1 if number % 2 else 2)


def test_npz_to_store_to_npz_is_equal_to_the_bit(program, folder):
    path, _ = program.convert(folder, "forth.h5", "--source=x")
    back, _ = program.convert(path, "back/", "--to=exorl")
    assert sorted(os.listdir(back)) == ["chainring.json"] + sorted(os.listdir(folder))
    for name in os.listdir(folder):
        with np.load(os.path.join(folder, name)) as wanted, np.load(os.path.join(back, name)) as found:
            assert list(found) == KEYS
            for key in KEYS:
                same(found[key], wanted[key])
    again, _ = program.convert(back, "again.h5", "--source=x")
    same_file(again, path)


def test_what_dm_control_played_comes_in_and_is_rewarded_as_there(program, folder):
    """The fixture is dm_control's and numpy's own work (tests/producers/make)."""
    with tarfile.open(fixture("exorl.tar.xz")) as archive:
        archive.extractall(program.folder)
    played = os.path.join(program.folder, "buffer")
    names = sorted(os.listdir(played))
    path, _ = program.convert(program.folder, "played.h5", "--from=exorl")
    again, _ = program.convert(played, "again.h5", "--relabel=cartpole_swingup", "--convention=true")
    with open_store(path) as store, open_store(again) as rewarded:
        assert store.attrs["domain"] == b"cartpole" and len(store["episode/length"]) == len(names)
        for number, name in enumerate(names):
            found = episode_of(store, number)
            with np.load(os.path.join(played, name)) as wanted:
                same(found["observation"], wanted["observation"])
                same(found["action"], wanted["action"][1:])
                same(found["physics"], wanted["physics"])
                same(found["recorded"], wanted["reward"][1:, 0])
            simulated = episode_of(rewarded, number)["cartpole_swingup"]
            assert abs(simulated - found["recorded"]).max() < 1e-6, (simulated, found["recorded"])


def test_the_store_is_the_same_for_every_number_of_ranks(program, folder):
    one, _ = program.convert(folder, "one.h5")
    for ranks in (2, 3):
        several, _ = program.convert(folder, f"ranks{ranks}.h5", ranks=ranks)
        same_file(several, one)


def test_the_downloaded_zip_gives_what_its_folder_gives(program, folder):
    wanted, _ = program.convert(folder, "of_folder.h5", "--source=x")
    for method in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        path = os.path.join(program.folder, "proto.zip")
        with zipfile.ZipFile(path, "w", method) as archive:
            archive.writestr("datasets/toy/proto/video/0.mp4", b"film")
            for name in reversed(sorted(os.listdir(folder))):
                archive.write(os.path.join(folder, name), "datasets/toy/proto/buffer/" + name)
        found, _ = program.convert(path, f"of_zip{method}.h5", "--source=x")
        same_file(found, wanted)


def test_a_folder_with_a_buffer_and_files_named_by_time_are_found(program, folder):
    os.makedirs(os.path.join(program.folder, "agent"))
    buffer = os.path.join(program.folder, "agent", "buffer")
    shutil.copytree(folder, buffer)
    for name in os.listdir(buffer):
        new = name.replace("episode_0", "20220207T101500_").replace("_0000", "_")
        os.rename(os.path.join(buffer, name), os.path.join(buffer, new))
    found, _ = program.convert(os.path.join(program.folder, "agent"), "of_agent.h5", "--source=x")
    wanted, _ = program.convert(folder, "of_plain.h5", "--source=x")
    same_file(found, wanted)


def test_types_orders_and_versions_of_numpy_are_read(program, _):
    episode = sample(0, 9)
    plain = write_folder(os.path.join(program.folder, "plain"), [episode])
    odd = os.path.join(program.folder, "odd")
    os.makedirs(odd)
    members = {
        "observation.npy": npy(np.asfortranarray(episode["observation"].astype(">f8"))),
        "action.npy": npy(episode["action"].astype(np.float64), version=(2, 0)),
        "reward.npy": npy(episode["reward"][:, 0], version=(3, 0)),
        "discount.npy": npy(np.ones((10, 1), bool)),
        "physics.npy": npy(np.asfortranarray(episode["physics"])),
        "skill.npy": npy(np.ones((10, 16), np.float32)),
    }
    write_npz(os.path.join(odd, "episode_000000_9.npz"), members)
    found, _ = program.convert(odd, "odd.h5", "--source=x")
    wanted, _ = program.convert(plain, "plain.h5", "--source=x")
    same_file(found, wanted)


def test_columns_of_rewards_become_tasks(program, _):
    episodes = samples(rewards=4)
    folder = write_folder(os.path.join(program.folder, "goals"), episodes)
    path, _ = program.convert(folder, "goals.h5", "--task=a,b,c,d")
    with open_store(path) as store:
        assert tasks_of(store) == ["a", "b", "c", "d"]
        for number, episode in enumerate(episodes):
            for k, task in enumerate("abcd"):
                same(episode_of(store, number)[task], episode["reward"][1:, k])
    back, _ = program.convert(path, "goals_back", "--to=exorl")
    with np.load(os.path.join(back, "episode_000002_40.npz")) as found:
        same(found["reward"], episodes[2]["reward"])
    program.refuse(folder, ["convert.task", "4 tasks"], "--task=a,b", code=78)


def wild_folder(program):
    episode = sample(0, 9)
    episode["action"][3] = [1.5, -7]
    return write_folder(os.path.join(program.folder, "wild"), [episode])


def test_actions_outside_are_refused_with_the_ways_out(program, _):
    folder = wild_folder(program)
    ways = ["found 2 of the episode's 18 numbers outside the bounds, as -7 in column 1 of row 3", "--convert.action_low",
            "--convert.actions=clip", "--convert.skip_bad"]
    program.refuse(folder, ways)
    program.refuse(folder, ways[:1], "--actions=refuse")
    program.refuse(folder, ["outside the bounds, as -7 in column 1 of row 3, expected -2 to 2"],
                   "--action_low=-2", "--action_high=2")
    program.refuse(folder, ["action_high", "together"], "--action_low=-2", code=78)
    program.refuse(folder, ["\"-2,x\"", "2 of them"], "--action_low=-2,x", "--action_high=2",
                   code=78)
    program.refuse(folder, ["bounds 2 and -2"], "--action_low=2", "--action_high=-2", code=78)


def test_actions_outside_are_clipped_and_counted_when_asked_for(program, _):
    path, text = program.convert(wild_folder(program), "wild.h5", "--actions=clip")
    assert "2 of 18 numbers lay outside their bounds and were clipped" in text, text
    with open_store(path) as store:
        same(store["action"][2], np.array([1, -1], np.float32))


def test_actions_are_scaled_from_their_bounds_and_back(program, _):
    episode = sample(0, 9)
    episode["action"][1:] = np.linspace(-7, 5, 18, dtype=np.float32).reshape(9, 2)
    folder = write_folder(os.path.join(program.folder, "scaled"), [episode])
    low, high = np.array([-7.0, -8.0]), np.array([6.0, 5.0])
    path, text = program.convert(folder, "scaled.h5", "--action_low=-7,-8", "--action_high=6,5")
    assert "scaled to [-1, 1] from their bounds, -8 to 6" in text, text
    wanted = 2 * (episode["action"][1:].astype(np.float64) - low) / (high - low) - 1
    with open_store(path) as store:
        assert np.abs(store["action"][:] - wanted).max() < 1e-6
        assert (store.attrs["action_low"] == low).all() and (store.attrs["action_high"] == high).all()
        assert store.attrs["action_kind"] == b"continuous"
    back, _ = program.convert(path, "scaled-back", "--to=exorl")
    name = [name for name in os.listdir(back) if name.endswith(".npz")][0]
    assert np.abs(np.load(os.path.join(back, name))["action"][1:] - episode["action"][1:]).max() < 1e-5


def test_whatever_stands_in_the_row_of_the_reset_is_dropped(program, _):
    """As by the producers' own replay buffers."""
    wanted, late = sample(2, 40), sample(2, 40)
    late["action"][0] = [0.5, np.nan]
    late["reward"][0] = np.inf
    folder = write_folder(os.path.join(program.folder, "late"), [late])
    path, _ = program.convert(folder, "late.h5")
    with open_store(path) as store:
        found = episode_of(store, 0)
        same(found["action"], wanted["action"][1:])
        same(found["recorded"], wanted["reward"][1:, 0])
        same(found["observation"], wanted["observation"])


def test_an_export_says_what_the_format_has_no_place_for(program, _):
    """The domain, which the sizes do not tell, the tasks, and the bounds of the actions."""
    rewards = np.arange(20, dtype=np.float32).reshape(10, 2)
    episode = {**sample(0, 9), "observation": np.ones((10, 4), np.float32),
               "physics": np.ones((10, 4)), "reward": rewards}
    plain = write_folder(os.path.join(program.folder, "point_mass", "buffer"), [episode])
    path, _ = program.convert(plain, "mass.h5", "--task=near,far", "--action_low=-2",
                              "--action_high=4")
    maze = write_folder(os.path.join(program.folder, "elsewhere"), [episode])
    other, _ = program.convert(maze, "maze.h5")
    back, _ = program.convert(path, "mass-back", "--to=exorl")
    again, _ = program.convert(back, "mass-again.h5")
    with open_store(path) as store, open_store(again) as found, open_store(other) as unnamed:
        assert store.attrs["domain"] == found.attrs["domain"] == b"point_mass"
        assert unnamed.attrs["domain"] == b"point_mass_maze"
        assert tasks_of(found) == ["near", "far"]
        assert (found.attrs["action_low"] == -2).all() and (found.attrs["action_high"] == 4).all()
        assert np.abs(found["action"][:] - store["action"][:]).max() < 1e-6


def test_a_recording_of_a_known_domain_is_replayed_without_its_task(program, _):
    played, _ = collect(program, "cartpole_balance", "recorded")
    folder, _ = program.convert(played, "played-folder", "--to=exorl")
    os.remove(os.path.join(folder, "chainring.json"))
    path, _ = program.convert(folder, "known.h5")
    run = program.run("inspect", "--replay", path, "--replay_steps=100")
    assert run.returncode == 0 and "obey the exact rule" in run.stdout, (run.stdout, run.stderr)
    assert "reward," not in run.stdout, run.stdout


# --- Relabelling ---------------------------------------------------------------------------------

def collect(program, task, name):
    output = os.path.join(program.folder, name + ".h5")
    run = program.run("collect", "--task=" + task, "--policy=random", "--groups=1", "--episodes=2",
                      "--output=" + output)
    assert run.returncode == 0, run.stderr
    return output, program.convert(output, name, "--to=exorl")[0]


def test_relabelling_truly_gives_the_recorded_rewards_again(program, _):
    store, folder = collect(program, "cartpole_swingup", "cartpole")
    true, _ = program.convert(folder, "true.h5", "--relabel=cartpole_swingup,cartpole_balance",
                              "--convention=true")
    exorl, text = program.convert(folder, "exorl.h5", "--relabel=cartpole_swingup")
    assert "cartpole_swingup (relabel_ctrl0)" in text, text
    with open_store(store) as wanted, open_store(true) as found, open_store(exorl) as free:
        task = "reward/cartpole_swingup"
        assert tasks_of(found) == ["cartpole_swingup", "cartpole_balance"]
        assert found.attrs["domain"] == b"cartpole" and found.attrs["control_timestep"] == 0.01
        assert np.abs(found[task][:] - wanted[task][:]).max() < 1e-6
        assert (free[task][:] >= wanted[task][:] - 1e-6).all()
        assert free["episode/return/cartpole_swingup"][0] > wanted["episode/return/cartpole_swingup"][0]
    program.refuse(folder, ["walker_walk", "18"], "--relabel=walker_walk", code=78)
    program.refuse(folder, ["cartpole_swingup"], "--relabel=cartpole_swingap", code=78)


def test_a_hidden_task_makes_a_group_of_each_goal(program, _):
    goals = ["top_left", "top_right", "bottom_left", "bottom_right"]
    tasks = ["point_mass_maze_reach_" + goal for goal in goals]
    _, folder = collect(program, tasks[0], "maze")
    seen, _ = program.convert(folder, "seen.h5", "--relabel=" + ",".join(tasks))
    hidden, _ = program.convert(folder, "hidden.h5", "--relabel=point_mass_maze_hidden", ranks=2)
    with open_store(seen) as wanted, open_store(hidden) as found:
        assert list(found["episode/group"]) == [0, 1, 2, 3] * 2
        assert list(found["episode/hidden"][:, 0]) == [0, 1, 2, 3] * 2
        for number in range(8):
            one, same_steps = episode_of(found, number), episode_of(wanted, number // 4)
            same(one["observation"], same_steps["observation"])
            same(one["action"], same_steps["action"])
            same(one["point_mass_maze_hidden"], same_steps[tasks[number % 4]])
    program.refuse(folder, ["hidden", "alone"], "--relabel=point_mass_maze_hidden," + tasks[0],
                   code=78)


# --- What is refused -----------------------------------------------------------------------------

def spoil(program, name, members, number=2):
    """A folder whose episode `number` holds other members."""
    folder = write_folder(os.path.join(program.folder, name), samples())
    path = os.path.join(folder, f"episode_{number:06d}_{LENGTHS[number]}.npz")
    write_npz(path, members)
    return folder


def test_arrays_that_numpy_should_not_have_written_are_refused(program, _):
    good = members_of(sample(2, 40))
    header = "{'descr': '<f4', 'fortran_order': False, 'shape': (%s), }"

    def fake(text, rest=b"\0" * 820):
        text = text.encode() + b"\n"
        return b"\x93NUMPY\1\0" + struct.pack("<H", len(text)) + text + rest

    cases = {
        "pickle": (npy_of_objects(), "pickled objects"),
        "short": (fake(header % "41, 5", b"\0" * 8), "bytes of numbers for shape (41, 5)"),
        "huge": (fake(header % "9999999999999, 99999999999"), "bytes of numbers"),
        "digits": (fake(header % ("9" * 40)), "found header"),
        "negative": (fake(header % "-1, 5"), "found header"),
        "code": (fake("{'descr': __import__('os'), 'fortran_order': False, 'shape': ()}"),
                 "found header"),
        "twice": (fake(header.replace("}", "'shape': (1,), }") % "41, 5"), "found header"),
        "long": (b"\x93NUMPY\2\0" + struct.pack("<I", 0xFFFFFFFF) + b" " * 80, "header of 4294967295"),
        "version": (b"\x93NUMPY\7\0" + b" " * 80, "npy version 7.0"),
        "none": (b"", "no npy header"),
        "date": (npy(np.zeros((41, 5), "datetime64[s]")), "type '<M8[s]'"),
        "complex": (npy(np.zeros((41, 5), np.complex64)), "type '<c8'"),
        "image": (npy(np.zeros((41, 3, 4, 4), np.uint8)), "shape (41, 3, 4, 4)"),
        "big": (npy(np.full((41, 5), 1e300)), "row 0 that does not fit"),
        "one_short": (npy(np.zeros((40, 5), np.float32)), "40 rows"),
    }
    for name, (content, words) in cases.items():
        folder = spoil(program, name, {**good, "observation.npy": content})
        program.refuse(folder, ["episode_000002_40.npz", "observation", words])
        shutil.rmtree(folder)


def npy_of_objects():
    stream = io.BytesIO()
    np.lib.format.write_array(stream, np.array([[1, "x"]], object), allow_pickle=True)
    return stream.getvalue()


def test_episodes_that_do_not_fit_together_are_refused(program, _):
    def changed(**arrays):
        return members_of({**sample(2, 40), **arrays})

    odd = sample(2, 40)
    odd["reward"][17] = np.nan
    endless = sample(2, 40)
    endless["physics"][40, 2] = -np.inf
    missing = members_of(sample(2, 40))
    del missing["action.npy"]
    cases = {
        "missing": (missing, ["action", "no such array"]),
        "short_action": (changed(action=np.zeros((40, 2), np.float32)), ["action", "(40, 2)"]),
        "wide_action": (changed(action=np.zeros((41, 3), np.float32)), ["action", "(41, 3)"]),
        "short_physics": (changed(physics=np.zeros((39, 3))), ["physics", "(39, 3)"]),
        "nan": (members_of(odd), ["reward", "NaN in row 17"]),
        "infinity": (members_of(endless), ["physics", "infinity in row 40"]),
        "traversal": ({**members_of(sample(2, 40)), "../../x.npy": b""}, ["out of its folder"]),
        "absolute": ({**members_of(sample(2, 40)), "/etc/x.npy": b""}, ["out of its folder"]),
    }
    for name, (members, words) in cases.items():
        folder = spoil(program, name, members)
        program.refuse(folder, ["episode_000002_40.npz"] + words, ranks=2 if name == "nan" else 1)
        path, text = program.convert(folder, name + "_skipped.h5", "--skip_bad")
        assert "bad: 1 episodes were dropped" in text and words[-1] in text, text
        with open_store(path) as store:
            assert list(store["episode/length"]) == [7, 1, 3, 12]
        if name == "nan":
            several, said = program.convert(folder, "skipped_by_3.h5", "--skip_bad", ranks=3)
            same_file(several, path)
            assert words[-1] in said, said
        shutil.rmtree(folder)


def test_damaged_zip_files_are_refused(program, folder):
    path = os.path.join(program.folder, "proto.zip")
    name = "episode_000002_40.npz"
    with open(os.path.join(folder, name), "rb") as stream:
        good = stream.read()
    flipped = bytearray(good)
    flipped[120] ^= 64
    stored = io.BytesIO()
    with zipfile.ZipFile(stored, "w") as archive:
        for member, content in members_of(sample(2, 40)).items():
            archive.writestr(member, content)
    stored = bytearray(stored.getvalue())
    stored[300] ^= 64
    encrypted = bytearray(good)
    for place, mark in ((6, b"PK\3\4"), (8, b"PK\1\2")):
        at = good.find(mark)
        while at >= 0:
            encrypted[at + place] |= 1
            at = good.find(mark, at + 1)
    bomb = io.BytesIO()
    with zipfile.ZipFile(bomb, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("observation.npy", b"\0" * (300 << 20))
    doubled = io.BytesIO()
    with warnings.catch_warnings(), zipfile.ZipFile(doubled, "w") as archive:
        warnings.simplefilter("ignore")
        for member, content in list(members_of(sample(2, 40)).items()) * 2:
            archive.writestr(member, content)
    cases = {"truncated": (good[:-30], "libzip"), "flipped": (bytes(flipped), "do not inflate"),
             "stored": (bytes(stored), "another checksum"),
             "empty": (b"", ""), "random": (bytes(range(256)) * 9, "libzip"),
             "encrypted": (bytes(encrypted), "encrypted"), "bomb": (bomb.getvalue(), "zip bomb"),
             "doubled": (doubled.getvalue(), "already exists")}
    for case, (content, words) in cases.items():
        spoilt = os.path.join(program.folder, case)
        shutil.copytree(folder, spoilt)
        with open(os.path.join(spoilt, name), "wb") as stream:
            stream.write(content)
        program.refuse(spoilt, [name, words])
        shutil.rmtree(spoilt)
    with open(path, "wb") as stream:
        stream.write(good[:100])
    program.refuse(path, ["proto.zip", "libzip"])
    os.remove(path)


def test_what_is_no_data_set_is_refused(program, folder):
    empty = os.path.join(program.folder, "nothing_in_it")
    os.makedirs(empty)
    program.refuse(empty, [empty, "found no data set"])
    program.refuse(empty + "x", [empty + "x", "cannot be opened"], code=66)
    program.refuse(empty, ["found no episodes"], "--from=exorl")
    program.refuse(folder, ["exorl"], "--from=exorll", code=64)
    program.refuse(folder, ["exorl"], "--to=exorll", code=64)
    fifo = os.path.join(program.folder, "fifo")
    os.mkfifo(fifo)
    program.refuse(fifo, [fifo])
    os.remove(fifo)


def main():
    launcher, path = sys.argv[1:]
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as root:
            program = Program(launcher, path, os.path.join(root, "work"))
            os.makedirs(program.folder)
            test(program, write_folder(os.path.join(root, "toy"), samples()))
    print(f"{len(tests)} tests passed")


main()
