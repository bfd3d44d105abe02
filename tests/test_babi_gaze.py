"""A hidden story, a line at a time: what is seen where, and what it is worth."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env import GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import get_backend
from glimpse_env.tasks.babi_gaze import BabiGaze

PLACES = ("park", "school", "office", "kitchen", "garden")


def story(lines: int, support: str) -> str:
    told = [f"{n} Person{n} went to the {PLACES[n % 5]}." for n in range(1, lines + 1)]
    return "\n".join([*told, f"{lines + 1} Where is Person1? \t{PLACES[1]}\t{support}"]) + "\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> str:
    """Stories of 1, 5, 8 and 20 lines, over and over."""
    files = tmp_path_factory.mktemp("stories")
    text = story(1, "1") + story(5, "1 4") + story(8, "2 3 8") + story(20, "")
    (files / "qa2_long_train.txt").write_text(text * 5)
    (files / "qa2_long_test.txt").write_text(text)
    return str(files)


def make(folder: str, place: str = "numpy", **kwargs: Any) -> BabiGaze:
    backend = get_backend("numpy") if place == "numpy" else get_backend("torch", place)
    return BabiGaze(backend, task=2, data=folder, **{"order": "sequential", "split": "test", **kwargs})


def begin(task: BabiGaze, rows: int = 4) -> dict[str, Any]:
    return task.begin(*(task.backend.asarray(numbers) for numbers in (np.zeros(rows, np.int64), np.arange(rows))))


def look(task: BabiGaze, state: dict[str, Any], *locations: float) -> Any:
    location = np.array(locations, np.float32)[:, None]
    action = {"location": location, "answer": np.zeros(len(location), np.int64)}
    return task.act(state, {key: task.backend.asarray(value) for key, value in action.items()})


def seen(task: BabiGaze, state: dict[str, Any]) -> list[str]:
    return [task.vocabulary.decode(row) for row in task.backend.to_numpy(task.observe(state)["tokens"])]


def test_the_question_comes_first_and_stays(folder: str) -> None:
    task = make(folder)
    state = begin(task)
    for _ in range(3):
        shown = task.observe(state)["question"]
        assert [task.vocabulary.decode(row) for row in shown] == ["where is person1 ?"] * 4
        state = look(task, state, *np.linspace(-1, 1, 4)).state


@pytest.mark.parametrize(("start", "lines"), [("last", [1, 5, 8, 20]), ("centre", [1, 3, 5, 11])])
def test_the_first_line_looked_at(start: Any, lines: list[int], folder: str) -> None:
    task = make(folder, start=start)
    assert seen(task, begin(task)) == [f"person{n} went to the {PLACES[n % 5]}" for n in lines]


def test_a_random_start_is_any_line_and_always_the_same(folder: str) -> None:
    task = make(folder, start="random")
    state = begin(task, 400)
    lengths = np.tile([1, 5, 8, 20], 100)
    assert ((state["line"] >= 0) & (state["line"] < lengths)).all()
    for row, length in enumerate((1, 5, 8, 20)):
        assert set(state["line"][row::4]) == set(range(length))
    np.testing.assert_array_equal(state["line"], begin(task, 400)["line"])


@pytest.mark.parametrize("length", [1, 5, 8, 20])
def test_a_location_is_a_place_along_the_story(length: int, folder: str) -> None:
    """Line floor((location + 1) / 2 * n), clipped; and the middle of each line is a location of that line."""
    task = make(folder)
    locations = np.linspace(-1, 1, 1001).astype(np.float32)
    count = np.full(1001, length)
    expected = [min(int((float(x) + 1) / 2 * length + 1e-6), length - 1) for x in locations]
    edge = np.abs((locations + 1) / 2 * length % 1 - 0.5) > 0.499
    found = task.line_at(locations, count)
    np.testing.assert_array_equal(found[~edge], np.array(expected)[~edge])
    assert (found[0], found[-1]) == (0, length - 1)
    lines = np.arange(length)
    middles = task.centre(lines, np.full(length, length))
    np.testing.assert_allclose(middles, (2 * lines + 1) / length - 1, atol=1e-6)
    np.testing.assert_array_equal(task.line_at(middles, np.full(length, length)), lines)


def test_a_line_is_looked_at_by_its_location(folder: str) -> None:
    task = make(folder)
    state = look(task, begin(task), 5.0, -0.7, 0.1, -9.0).state
    assert seen(task, state) == [f"person{n} went to the {PLACES[n % 5]}" for n in (1, 1, 5, 1)]
    observation = task.observe(state)
    np.testing.assert_allclose(observation["location"][:, 0], [0, -0.8, 0.125, -0.95], atol=1e-6)
    np.testing.assert_allclose(observation["lines"][:, 0], [1, 5, 8, 20])
    np.testing.assert_allclose(observation["time"][:, 0], [1 / 3] * 4)


def test_relative_saccades_begin_at_the_line_looked_at(folder: str) -> None:
    task = make(folder, saccades="relative", num_glimpses=5)
    state = begin(task)
    path = []
    for steps in [(0, -2 / 5, -2 / 8, -2 / 20), (1, -2 / 5, 2 / 8, -10 / 20), (1, 9, -9, 2.2 / 20)]:
        state = look(task, state, *steps).state
        path.append(state["line"].tolist())
    assert path == [[0, 3, 6, 18], [0, 2, 7, 13], [0, 4, 0, 14]]


def test_the_periphery_tells_which_words_are_near(folder: str) -> None:
    """Against sets of words: the 3, 9 and 27 lines around, none beyond the story, no padding."""
    task = make(folder, scales=3)
    index = np.repeat(np.arange(4), [1, 5, 8, 20])
    line = np.concatenate([np.arange(n) for n in (1, 5, 8, 20)])
    found = task.periphery({"index": index, "line": line})
    assert (found.shape, found.dtype) == ((34, 3, len(task.vocabulary)), np.float32)
    for row, (question, middle) in enumerate(zip(index.tolist(), line.tolist(), strict=True)):
        text = [task.line_text(question, n).split() for n in range((1, 5, 8, 20)[question])]
        for scale, side in enumerate((1, 4, 13)):
            near = {word for words in text[max(0, middle - side) : middle + side + 1] for word in words}
            assert {task.vocabulary.words[n] for n in np.flatnonzero(found[row, scale])} == near
    assert set(np.unique(found)) == {0.0, 1.0}


def test_support_hit_is_the_share_of_supporting_lines_looked_at(folder: str) -> None:
    task = make(folder, num_glimpses=4)
    state = begin(task)
    hits = [task.info(state)["support_hit"].tolist()]
    for lines in [(0, 0, 1, 0), (0, 1, 1, 1), (0, 3, 0, 2), (0, 2, 2, 3)]:
        outcome = look(task, state, *((2 * n + 1) / length - 1 for n, length in zip(lines, (1, 5, 8, 20), strict=True)))
        state = outcome.state
        hits.append(outcome.info["support_hit"].tolist())
    third = 1 / 3
    assert hits[:4] == [[1, 0, third, 0], [1, 0.5, 2 * third, 0], [1, 0.5, 2 * third, 0], [1, 1, 2 * third, 0]]
    assert hits[4] == hits[3]  # the last step's location is ignored


def test_scripted_gazes_fixate_lines(folder: str, host_place: str) -> None:
    """The supporting lines, the last first and again; or back from the last line, by one or by two."""
    task = make(folder, host_place, num_glimpses=5)
    seeds, episodes = (task.backend.asarray(numbers) for numbers in (np.zeros(4, np.int64), np.arange(4)))
    expected = {
        "oracle": [[0, 0, 0, 0], [3, 0, 3, 0], [7, 2, 1, 7], [19, 19, 19, 19]],  # the last story names no line
        "last": [[0, 0, 0, 0], [3, 2, 1, 0], [6, 5, 4, 3], [18, 17, 16, 15]],
        "scan": [[0, 0, 0, 0], [2, 0, 0, 0], [5, 3, 1, 0], [17, 15, 13, 11]],
    }
    for name, lines in expected.items():
        places = task.backend.to_numpy(task.gaze(name, seeds, episodes))
        assert (places.shape, places.dtype) == ((4, 4, 1), np.float32)
        found = task.line_at(task.backend.asarray(places[..., 0]), task.story(seeds, episodes).count[:, None])
        assert found.tolist() == lines
    assert make(folder, start="centre").gazes == ("random", "oracle")
    with pytest.raises(ValueError, match=r"gaze 'scan' is not one of random, oracle"):
        make(folder, start="random").gaze("scan", np.zeros(1, np.int64), np.zeros(1, np.int64))


def test_an_oracle_hits_all_supporting_lines(folder: str) -> None:
    env = GlimpseVectorEnv("BabiGaze-v0", 3, task=2, data=folder, split="test", order="sequential", num_glimpses=5)
    env.reset(seed=[0] * 3)
    for location in env.scripted_gaze("oracle", 0, np.arange(3)):
        *_, infos = env.step({"location": location, "answer": np.zeros(3, np.int64)})
    assert infos["support_hit"].tolist() == [1, 1, 1]


def test_the_last_answer_is_scored(folder: str) -> None:
    task = make(folder, num_glimpses=2)
    state = begin(task)
    for step in range(1, 3):
        outcome = look(task, state, 0, 0, 0, 0)  # the answer 0 is the only one there is
        assert outcome.info["correct"].all()
        assert outcome.terminated.tolist() == [step == 2] * 4
        assert outcome.reward.tolist() == [float(step == 2)] * 4
        assert outcome.info["task"].tolist() == [2] * 4
        state = outcome.state


def test_a_text_of_what_was_looked_at(folder: str) -> None:
    env = GlimpseEnv("BabiGaze-v0", data=folder, task=2, split="test", order="sequential", render_mode="ansi")
    env.reset(seed=0, options={"episode": 1})
    env.step({"location": [-1.0], "answer": 0})
    assert env.render() == "\n".join(
        [
            "bAbI task 2, two supporting facts, glimpse 2 of 3",
            "     where is person1 ?",
            ">  1 person1 went to the school",
            "   2 ·",
            "   3 ·",
            "   4 ·",
            "   5 person5 went to the park",
        ]
    )
    for _ in range(2):
        env.step({"location": [0.0], "answer": 0})
    assert str(env.render()).endswith(
        ">  3 person3 went to the kitchen\n   4 ·\n   5 person5 went to the park\n     answer: school (right)"
    )


@pytest.mark.parametrize("start", ["last", "centre", "random"])
@pytest.mark.parametrize("saccades", ["absolute", "relative"])
def test_torch_sees_the_same(start: Any, saccades: Any, folder: str, place: str) -> None:
    """Of many lengths and locations, to the last bit."""
    rng, kwargs = np.random.default_rng(0), {"start": start, "saccades": saccades, "num_glimpses": 6, "scales": 4}
    ours, theirs = make(folder, place, order="random", **kwargs), make(folder, order="random", **kwargs)
    one, other = begin(ours, 200), begin(theirs, 200)
    for _ in range(6):
        for key, value in theirs.observe(other).items():
            found = ours.backend.to_numpy(ours.observe(one)[key])
            assert found.dtype == value.dtype
            np.testing.assert_array_equal(found, value)
        locations = rng.normal(0, 0.7, 200)
        one, other = look(ours, one, *locations).state, look(theirs, other, *locations).state
        for key, value in theirs.info(other).items():
            np.testing.assert_array_equal(ours.backend.to_numpy(ours.info(one)[key]), value)


@pytest.mark.parametrize("task", [1, 2, 3, "joint"])
def test_who_looks_at_the_supporting_lines_hits(task: Any, real_babi: str) -> None:
    """On the released files: a gaze along the support column, read back through locations."""
    env = GlimpseVectorEnv("BabiGaze-v0", 300, task=task, data=real_babi, num_glimpses=12, split="test")
    _, infos = env.reset(seed=1)
    state, gaze = env._state, env.task
    assert state is not None
    length = gaze.counts[state["index"]]  # type: ignore[attr-defined]
    facts = [lines[lines >= 0] for lines in gaze.facts[state["index"]]]  # type: ignore[attr-defined]
    for step in range(11):
        lines = np.array([lines[min(step, len(lines) - 1)] for lines in facts])
        location = ((2 * lines + 1) / length - 1).astype(np.float32)[:, None]
        *_, infos = env.step({"location": location, "answer": infos["target"]})
    assert (infos["support_hit"] == 1).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"num_glimpses": 0}, "num_glimpses must be at least 1, got 0"),
        ({"scales": 0}, "scales must be 1 to 6 .*got 0"),
        ({"scales": 7}, "got 7"),
        ({"start": "first"}, """start must be "last", "centre" or "random", got 'first'"""),
        ({"saccades": "polar"}, """saccades must be "absolute" or "relative", got 'polar'"""),
        ({"task": 2, "split": "dev"}, "unknown split 'dev'"),
    ],
    ids=str,
)
def test_what_is_no_choice_is_refused(kwargs: dict[str, Any], message: str, folder: str) -> None:
    for face in (GlimpseEnv, GlimpseVectorEnv):
        with pytest.raises(ValueError, match=message):
            face("BabiGaze-v0", **{"task": 2, "data": folder, **kwargs})


@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"location": [np.nan], "answer": 0}, "'location' must be finite"),
        ({"location": [0.0, 0.0], "answer": 0}, r"'location' must have shape \(1,\), got \(2,\)"),
        ({"location": [0.0], "answer": 1}, r"'answer' must be in \[0, 1\)"),
    ],
    ids=str,
)
def test_a_refused_action_changes_nothing(action: Any, message: str, folder: str) -> None:
    env, twin = (GlimpseEnv("BabiGaze-v0", task=2, data=folder) for _ in range(2))
    env.reset(seed=0)
    twin.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(action)
    good = {"location": [-0.5], "answer": 0}
    for ours, theirs in zip(env.step(good)[0].values(), twin.step(good)[0].values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)
