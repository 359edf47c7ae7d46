"""Do plain arrays and tables become stores, and are broken ones refused?

check_arrays.py LAUNCHER PROGRAM: writes them with numpy and converts them.
"""

import csv
import io
import os
import sys
import tempfile

import numpy as np

from convert_check import Program, episode_of, open_store, same, same_file, tasks_of

LENGTHS = [5, 1, 9]
STEPS = sum(LENGTHS)


def sample(states):
    random = np.random.default_rng(3)
    return {"observation": random.standard_normal((states, 3)),
            "action": random.uniform(-1, 1, (STEPS, 2)).astype(np.float32),
            "reward": random.uniform(0, 1, STEPS).astype(np.float32),
            "length": np.array(LENGTHS)}


def write(program, name, arrays):
    folder = os.path.join(program.folder, name)
    os.makedirs(folder)
    for key, array in arrays.items():
        np.save(os.path.join(folder, key + ".npy"), array, allow_pickle=True)
    return folder


def episodes_of(path):
    with open_store(path) as store:
        return [episode_of(store, number) for number in range(len(LENGTHS))]


# --- Folders of arrays ---------------------------------------------------------------------------

def test_states_after_the_last_step_are_taken_or_repeated(program):
    full = sample(STEPS + len(LENGTHS))
    physics = np.random.default_rng(4).standard_normal((STEPS + len(LENGTHS), 4))
    extra = {"physics": physics, "group": np.array([4, 4, -1], np.int32), "end": np.array([1, 2, 0], np.uint8)}
    found = episodes_of(program.convert(write(program, "full", {**full, **extra}), "full.h5")[0])
    bare = sample(STEPS)
    repeated = episodes_of(program.convert(write(program, "bare", bare), "bare.h5")[0])
    start = 0
    for number, length in enumerate(LENGTHS):
        steps, states = slice(start, start + length), slice(start + number, start + number + length + 1)
        same(found[number]["observation"], full["observation"][states].astype(np.float32))
        same(found[number]["physics"], physics[states])
        same(found[number]["action"], full["action"][steps])
        same(found[number]["recorded"], full["reward"][steps])
        assert found[number]["group"] == [4, 4, -1][number]
        assert found[number]["end"] == [1, 2, 0][number]
        rows = bare["observation"][steps].astype(np.float32)
        same(repeated[number]["observation"], np.concatenate([rows, rows[-1:]]))
        start += length


def test_two_columns_of_rewards_are_two_tasks_on_any_ranks(program):
    arrays = sample(STEPS)
    arrays["reward"] = np.stack([arrays["reward"], -arrays["reward"]], 1)
    folder = write(program, "two", arrays)
    one, _ = program.convert(folder, "one.h5", "--domain=toy", "--timestep=0.05")
    three, _ = program.convert(folder, "three.h5", "--domain=toy", "--timestep=0.05", ranks=3)
    same_file(one, three)
    with open_store(one) as store:
        assert tasks_of(store) == ["recorded_0", "recorded_1"]
        assert store.attrs["domain"] == b"toy" and store.attrs["control_timestep"] == 0.05
        same(store["reward/recorded_1"][:], arrays["reward"][:, 1])


def test_a_bad_number_is_named_by_its_row_of_the_whole_array(program):
    """Not of its episode: row 7 is a step of the last of them, row 9 a state of it where each has one more."""
    def with_number(array, row, number):
        array = np.array(array, np.float64)
        array[row] = number
        return array

    bare, full = sample(STEPS), sample(STEPS + len(LENGTHS))
    physics = np.zeros((STEPS + len(LENGTHS), 2))
    cases = {
        "observation": (bare, "observation", with_number(bare["observation"], 7, np.inf), "row 7"),
        "state": (full, "observation", with_number(full["observation"], 9, np.nan), "row 9"),
        "last": (full, "observation", with_number(full["observation"], 17, 1e39), "row 17"),
        "physics": (full, "physics", with_number(physics, 9, np.nan), "row 9"),
        "action": (full, "action", with_number(full["action"], 7, np.nan), "row 7"),
        "large": (full, "action", with_number(full["action"], 7, 1e39), "row 7"),
        "reward": (full, "reward", with_number(full["reward"], 7, np.inf), "row 7"),
        "huge": (full, "reward", with_number(full["reward"], 7, -1e39), "row 7"),
        "group": (full, "group", np.array([0, 1, 0.5]), "row 2"),
    }
    for name, (arrays, key, array, row) in cases.items():
        folder = write(program, "row_" + name, {**arrays, key: array})
        program.refuse(folder, [key, row + (" " if name in ("last", "large", "huge", "group") else ",")])
    kept, _ = program.convert(os.path.join(program.folder, "row_action"), "kept.h5", "--skip_bad")
    with open_store(kept) as store:
        assert list(store["episode/length"]) == LENGTHS[:2]
    folder = write(program, "big_endian", {**full, "action": with_number(full["action"], 7, np.nan).astype(">f4")})
    program.refuse(folder, ["action: found NaN", "row 7"])


def test_arrays_that_do_not_fit_together_are_refused(program):
    good = sample(STEPS)
    cases = {
        "lengths": ({"length": np.array([5, 1, 10])}, ["length.npy", "10 steps in episode 2"]),
        "zero": ({"length": np.array([5, 0, 10])}, ["length.npy", "0 steps in episode 1"]),
        "negative": ({"length": np.array([5, -1, 11])}, ["length.npy", "-1 steps"]),
        "half": ({"length": np.array([5, 1.5, 8.5])}, ["length.npy", "whole number"]),
        "fewer": ({"length": np.array([5, 1])}, ["action.npy", "shape (15, 2)", "6 rows"]),
        "reward": ({"reward": good["reward"][1:]}, ["reward.npy", "shape (14,)", "15 rows"]),
        "observation": ({"observation": good["observation"][1:]}, ["observation.npy", "15 rows, or 18"]),
        "physics": ({"physics": np.zeros((14, 2))}, ["physics.npy", "shape (14, 2)"]),
        "end": ({"end": np.array([0, 3, 0])}, ["end.npy", "3 for episode 1"]),
        "group": ({"group": np.array([0, 3])}, ["group.npy", "shape (2,)"]),
        "fortran": ({"action": np.asfortranarray(good["action"])}, ["action.npy", "Fortran"]),
        "objects": ({"reward": good["reward"].astype(object)}, ["reward.npy", "pickled objects"]),
        "nan": ({"reward": np.where(np.arange(STEPS) == 7, np.nan, 0)}, ["episode 2", "reward", "NaN in row 7"]),
    }
    for name, (arrays, words) in cases.items():
        program.refuse(write(program, name, {**good, **arrays}), words)
    cut = write(program, "cut", good)
    os.truncate(os.path.join(cut, "action.npy"), 200)
    program.refuse(cut, ["action.npy", "bytes of numbers"])


# --- Tables --------------------------------------------------------------------------------------

def write_text(program, name, text):
    path = os.path.join(program.folder, name)
    with open(path, "w", encoding="utf-8") as stream:
        stream.write(text)
    return path


def table(arrays, after_last):
    """The arrays as text; a row after each episode's last step where `after_last`."""
    lines = ["episode,observation_0,observation_1,observation_2,action_0,action_1,reward"]
    start = 0
    for number, length in enumerate(LENGTHS):
        for row in range(length + after_last):
            state = arrays["observation"][start + row + number * after_last]
            step = [*arrays["action"][start + row], arrays["reward"][start + row]] if row < length else [""] * 3
            cells = [f"{value:.17g}" if value != "" else "" for value in [*state, *step]]
            lines.append(",".join([str(100 - number), *cells]))
        start += length
    return "\n".join(lines) + "\n"


def test_cells_may_stand_in_quotes(program):
    """RFC 4180, as spreadsheets write it: commas, quotes and line ends within quotes."""
    plain = "episode,observation_0,action_0,reward\n0,0.5,-1,0.25\n0,1e-3,1,1\n1,2,0,0\n"
    wanted, _ = program.convert(write_text(program, "plain.csv", plain), "plain.h5", "--source=x")
    rows = list(csv.reader(io.StringIO(plain)))
    notes = ["a \"note\", with all", "5, \"6\"", "two\r\nlines", ""]
    for end in ("\r\n", "\n"):
        text = io.StringIO()
        writer = csv.writer(text, quoting=csv.QUOTE_ALL, lineterminator=end)
        for row, note in zip(rows, notes):
            writer.writerow([note, *row])
        path = write_text(program, "quoted.csv", "\ufeff" + text.getvalue())
        found, _ = program.convert(path, "quoted.h5", "--source=x")
        same_file(found, wanted)
        os.remove(found)
    program.refuse(write_text(program, "open.csv", plain + '1,"2,0,0\n'), ["open.csv", "line 5"])
    program.refuse(write_text(program, "behind.csv", plain + '1,"2"3,0,0\n'), ["line 5", "observation_0"])


def test_a_table_may_be_larger_than_what_is_read_at_once(program):
    """Lines, quoted ones too, lie across every border of 1 MiB, and two ranks jump between them."""
    random = np.random.default_rng(5)
    rewards = random.uniform(0, 1, 30000).astype(np.float32)
    note = '"' + 30 * "long,\n" + '"'
    lines = [f"{row // 100},{row % 7},0,{reward:.9g},{note if row % 3 else ''}" for row, reward in enumerate(rewards)]
    path = write_text(program, "large.csv", "episode,observation_0,action_0,reward,note\n" + "\n".join(lines))
    one, _ = program.convert(path, "one.h5")
    two, _ = program.convert(path, "two.h5", ranks=2)
    same_file(one, two)
    with open_store(one) as store:
        same(store["reward/recorded"][:], rewards)
        assert list(store["episode/length"]) == 300 * [100]


def test_integer_actions_are_categories(program):
    arrays = sample(STEPS)
    chosen = np.random.default_rng(2).integers(0, 3, (len(arrays["action"]), 2))
    chosen[0] = 2
    folder = write(program, "discrete", {**arrays, "action": chosen})
    found, text = program.convert(folder, "discrete.h5", ranks=2)
    assert "actions: discrete, 3 and 3 categories" in text, text
    with open_store(found) as store:
        same(store["action"][:], np.eye(3, dtype=np.float32)[chosen].reshape(len(chosen), 6))
        assert store.attrs["action_kind"] == b"categorical"
        assert list(store.attrs["action_counts"]) == [3, 3]
    found, _ = program.convert(folder, "wider.h5", "--action_counts=3,4")
    with open_store(found) as store:
        assert store["action"].shape == (len(chosen), 7)
    program.refuse(folder, ["action_counts", "2 numbers"], "--action_counts=3", code=78)
    program.refuse(folder, ["action.npy", "found 2 in row 0", "0 to 1"], "--action_counts=2,3")
    chosen[5, 1] = -1
    folder = write(program, "negative", {**arrays, "action": chosen})
    program.refuse(folder, ["action.npy", "found -1 in row 5", "0 to 2"])


def test_a_table_is_what_its_arrays_are(program):
    for after_last in (0, 1):
        arrays = sample(STEPS + after_last * len(LENGTHS))
        folder = write(program, f"arrays{after_last}", arrays)
        path = write_text(program, f"table{after_last}.csv", table(arrays, after_last))
        wanted, _ = program.convert(folder, f"wanted{after_last}.h5", "--source=x")
        for ranks in (1, 2):
            found, _ = program.convert(path, f"found{after_last}{ranks}.h5", "--source=x", ranks=ranks)
            same_file(found, wanted)


def test_columns_may_come_in_any_order_with_tasks_and_windows_line_ends(program):
    path = write_text(program, "mixed.csv", "reward_walk,action_0,comment,observation_0,episode,end,reward_run\r\n"
                      "1,0.5,hello,3,7,0,2\r\n4,-0.5,,6,7,1,5\r\n9,0,,8,8,2,10")
    found, _ = program.convert(path, "mixed.h5")
    with open_store(found) as store:
        assert tasks_of(store) == ["walk", "run"]
        assert list(store["episode/length"]) == [2, 1] and list(store["episode/end"]) == [1, 2]
        assert list(store["reward/walk"]) == [1, 4, 9] and list(store["reward/run"]) == [2, 5, 10]
        assert list(store["observation"][:, 0]) == [3, 6, 6, 8, 8]


def test_flags_may_be_words_or_numbers(program):
    """As pandas writes truth values, and as Gymnasium and D4RL name them."""
    for yes, no in (("True", "False"), ("true", "false"), ("1", "0"), ("1.0", "0.0"), ('"True"', "")):
        for terminated, truncated in (("terminated", "truncated"), ("terminals", "timeouts")):
            text = (f"episode,observation_0,action_0,reward,{terminated},{truncated}\n"
                    f"0,1,0,1,{no},{no}\n0,2,0,1,{yes},{no}\n1,3,0,1,{no},{yes}\n2,4,0,1,{no},{no}\n"
                    f"3,5,0,1,{yes},{yes}\n4,6,0,1,{yes},{no}\n4,7,,,,\n")
            found, _ = program.convert(write_text(program, "flags.csv", text), "flags.h5")
            with open_store(found) as store:
                assert list(store["episode/end"]) == [1, 2, 0, 1, 1], (yes, terminated)
            os.remove(found)
    head = "episode,observation_0,action_0,reward"
    ends, _ = program.convert(write_text(program, "ends.csv", head + ",end,terminals\n0,1,0,1,2,True\n1,1,0,1,True,0\n"),
                              "ends.h5")
    with open_store(ends) as store:
        assert list(store["episode/end"]) == [2, 1]
    cases = {
        "maybe.csv": (head + ",terminals\n0,1,0,1,False\n0,1,0,1,maybe\n", ["line 3", "terminals", '"maybe"', "True"]),
        "two.csv": (head + ",timeouts\n0,1,0,1,2\n", ["line 2", "timeouts", '"2"']),
        "both.csv": (head + ",terminals,terminated\n0,1,0,1,0,0\n", ["line 1", "terminated", "twice"]),
        "truth.csv": (head + "\n0,1,0,1\n\n0,True,0,1\n", ["line 4", "observation_0", '"True"', "number"]),
        "false.csv": (head + "\n0,1,0,False\n", ["line 2", "reward", '"False"', "number"]),
        "episode.csv": (head + "\nTrue,1,0,1\n", ["line 2", "episode", '"True"', "whole number"]),
    }
    for name, (text, words) in cases.items():
        program.refuse(write_text(program, name, text), words)


def test_broken_tables_are_refused_with_the_line(program):
    head = "episode,observation_0,action_0,reward\n"
    cases = {
        "word.csv": (head + "0,1,0,1\n0,x,0,1\n", ["word.csv", "line 3", "observation_0", '"x"']),
        "hex.csv": (head + "0,0x10,0,1\n", ["line 2", '"0x10"']),
        "tail.csv": (head + "0,1 2,0,1\n", ["line 2", '"1 2"']),
        "blank.csv": (head + "0,1,0,1\n\n1,1,0,1\n\n\n1,inf,0,1\n", ["line 7", "observation_0", '"inf"']),
        "behind.csv": (head + "0,1,0,1\n\n0,1,,\n\n0,1,0,1\n", ["line 6", "last"]),
        "lines.csv": ("note," + head + '"a\nb",0,1,0,1\nc,0,y,0,1\n', ["line 4", "observation_0", '"y"']),
        "nan.csv": (head + "0,1,0,nan\n", ["line 2", "reward", '"nan"']),
        "last.csv": (head + "0,1,0,1\n0,nan,nan,nan\n", ["line 3", "observation_0", '"nan"']),
        "large.csv": (head + "0,1e39,0,1\n", ["line 2", '"1e39"']),
        "fewer.csv": (head + "0,1,0,1\n0,1,0\n", ["line 3", "3 cells"]),
        "more.csv": (head + "0,1,0,1,9\n", ["line 2", "5 cells"]),
        "hole.csv": (head + "0,1,,1\n", ["line 2", "action_0", "no number"]),
        "inside.csv": (head + "0,1,0,1\n0,1,,\n0,1,0,1\n", ["line 4", "last"]),
        "alone.csv": (head + "0,1,,\n", ["no steps"]),
        "again.csv": (head + "0,1,0,1\n1,1,0,1\n0,1,0,1\n", ["line 4", "again"]),
        "noaction.csv": ("episode,observation_0,reward\n0,1,1\n", ["action_0"]),
        "gap.csv": ("episode,observation_0,observation_2,action_0,reward\n0,1,1,1,1\n", ["observation_2"]),
        "twice.csv": ("episode,observation_0,action_0,reward,reward\n0,1,1,1,1\n", ["reward", "twice"]),
        "header.csv": (head, ["no rows"]),
        "empty.csv": ("", ["line 1", "episode", "no such column"]),
        "mark.csv": ("\ufeff", ["line 1", "episode", "no such column"]),
        "endless.csv": (head + "0,1,0," + (1 << 20) * "1", ["line 2", "1 MiB"]),
        "short.csv": ("action_0,observation_0,reward,episode\n0,1\n", ["line 2", "episode", "no cell"]),
        "end.csv": ("episode,observation_0,action_0,reward,end\n0,1,1,1,7\n", ["line 2", "end", '"7"']),
    }
    for name, (text, words) in cases.items():
        program.refuse(write_text(program, name, text), words)


def main():
    launcher, path = sys.argv[1:]
    tests = [test for name, test in globals().items() if name.startswith("test_")]
    for test in tests:
        with tempfile.TemporaryDirectory() as folder:
            test(Program(launcher, path, folder))
    print(f"{len(tests)} tests passed")


if __name__ == "__main__":
    main()
