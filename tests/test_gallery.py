"""A walk through a gallery: what is shown, and what is asked afterwards."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.gallery_questions import KINDS, MOST, ORDINALS, sentence
from glimpse_env.tasks.gallery import Gallery
from runs.traces.recall import Walk

NAMES = ("cat", "dog", "first", "old boot")
SEEDS, EPISODES = np.full(400, 5), np.arange(400)


def make(**changes: Any) -> Gallery:
    """Of 40 pictures: image k is of class k % 4, and all its pixels are k + 1."""
    images = np.repeat(np.arange(1, 41, dtype=np.uint8), 64).reshape(40, 8, 8)
    settings: dict[str, Any] = {"images": images, "labels": np.arange(40) % 4, "names": NAMES, "size": 16}
    settings |= {"dataset": None, "pieces": 0, "patch": 4, "scales": 2, "split": "all", "num_glimpses": 2, "looks": 2}
    return Gallery(get_backend("numpy"), **{**settings, **changes})


def walk_of(task: Gallery, state: dict[str, Any], row: int) -> list[int]:
    """The classes of the pictures, read off the canvases that are shown."""
    classes = []
    for number in range(task.pictures):
        step = int(np.flatnonzero(task.schedule.shown == number)[0])
        canvas = task.present({**state, "time": np.full(len(state["time"]), step)})[row]
        classes.append((int(canvas.max()) - 1) % 4)
    return classes


def expected(question: str, walk: list[int], shown: int | None) -> str:
    """The right answer to a question in words."""
    things = [NAMES.index(part) for part in question.split("'")[1::2]]
    if question.startswith("what was in the"):
        return NAMES[walk[ORDINALS.index(question.split()[4])]]
    if question.startswith("in which picture"):
        return ORDINALS[walk.index(things[0])]
    if question.startswith("how many"):
        return str(walk.count(things[0]))
    if question.startswith("was what is shown"):
        return "yes" if shown in walk else "no"
    assert question.startswith("which came first")
    return NAMES[min(things, key=lambda thing: walk.index(thing) if thing in walk else MOST)]


@pytest.mark.parametrize("pictures", [1, 5])
def test_answers_are_those_of_what_was_shown(pictures: int) -> None:
    task = make(pictures=pictures, questions=3, delay=1)
    state = task.begin(SEEDS[:60], EPISODES[:60])
    said: dict[str, set[str]] = {}
    for row in range(60):
        walk = walk_of(task, state, row)
        for number in range(3):
            step = int(np.flatnonzero(task.schedule.shown == task.first_question + number)[0])
            canvas = task.present({**state, "time": np.full(60, step)})[row]
            shown = (int(canvas.max()) - 1) % 4 if canvas.any() else None
            question = sentence(task.asker.vocabulary, state["tokens"][row, number])
            assert (shown is not None) == (question == KINDS["seen"])
            answer = task.answer_names[state["target"][row, number]]
            assert answer == expected(question, walk, shown), (question, walk)
            said.setdefault(question.split()[0], set()).add(answer)
            rests_on = np.flatnonzero(state["support"][row, number]).tolist()
            if question.startswith("what was in"):
                assert rests_on == [ORDINALS.index(question.split()[4])]
            elif question.startswith("in which"):
                assert rests_on == [ORDINALS.index(answer)]
            elif question.startswith("how many"):
                assert str(len(rests_on)) == answer
    assert len(said) == len(KINDS)
    assert said["was"] == {"yes", "no"}


def test_numbers_of_any_size_name_the_pictures_in_their_order() -> None:
    task = make(pictures=3, questions=3, numbers="any")
    state = task.begin(SEEDS, EPISODES)
    names = state["names"]
    assert (np.diff(names, axis=1) > 0).all()
    assert (np.bincount(names.ravel(), minlength=MOST) > 400 * 3 / MOST / 2).all()
    for row in range(40):
        seen = [ORDINALS[name] for name in names[row]]
        classes = walk_of(task, state, row)
        for number in range(3):
            question = sentence(task.asker.vocabulary, state["tokens"][row, number])
            answer = task.answer_names[state["target"][row, number]]
            if question.startswith("what was in"):
                assert answer == NAMES[classes[seen.index(question.split()[4])]]
            elif question.startswith("in which"):
                thing = NAMES.index(question.split("'")[1])
                assert answer == seen[classes.index(thing)]
    steps = [int(np.flatnonzero(task.schedule.shown == picture)[0]) for picture in range(3)]
    shown = [task.parts({**state, "time": np.full(400, step)})["picture"].argmax(1) for step in steps]
    np.testing.assert_array_equal(np.stack(shown, 1), names)


def test_what_is_asked_depends_on_nothing_that_tells_the_answer() -> None:
    """Kinds are as likely, half of the questions whether something was there have yes, and zero may be a count."""
    state = make(questions=5, pictures=3).begin(SEEDS, EPISODES)
    assert np.bincount(state["kind"].ravel(), minlength=5).min() > 320
    task = make(kinds="seen", pictures=2)
    target = task.begin(SEEDS, EPISODES)["target"]
    assert 0.4 < (target == task.asker.yes).mean() < 0.6
    counts = make(kinds=["count"], pictures=3).begin(SEEDS, EPISODES)["target"] - (4 + MOST)
    assert np.bincount(counts.ravel(), minlength=4)[:3].min() > 40


def test_the_question_is_there_in_its_own_steps_and_its_last_answer_counts() -> None:
    task = make(pictures=2, questions=2, delay=3, kinds="what")
    assert task.horizon == 2 * 2 + 3 + 2 * 2
    state = task.begin(SEEDS[:3], EPISODES[:3])
    scored, asked, empty = [], [], []
    for step in range(task.horizon):
        seen = task.observe(state)
        asked.append(bool(seen["tokens"].any()))
        empty.append(not seen["glimpse"].any())
        number = max(0, step - 7) // 2
        action = {"location": np.full((3, 2), 0.1, np.float32), "answer": state["target"][:, number]}
        outcome = task.act(state, action)
        scored.append(bool(outcome.info["scored"].all()))
        assert bool(outcome.reward.any()) == scored[-1]
        state = outcome.state
    assert asked == [False] * 7 + [True] * 4
    assert empty == asked  # such a question shows nothing
    assert scored == [False] * 8 + [True, False, True]
    assert outcome.info["correct"].all()
    path = state["path"][0, :-1, 0]
    np.testing.assert_allclose(path, [0, 0.1, 0, 0.1, 0, 0, 0, 0, 0.1, 0, 0.1])  # each canvas begins at its centre


def test_noise_is_another_at_each_step_and_in_each_episode() -> None:
    task = make(pictures=1, delay=4)
    state = task.begin(SEEDS[:2], EPISODES[:2])
    noise = np.stack([task.present({**state, "time": np.full(2, 2 + step)}) for step in range(4)])
    assert len(np.unique(noise.reshape(8, -1), axis=0)) == 8
    assert 100 < noise.mean() < 155


def test_longer_walks_have_the_same_answers_and_words() -> None:
    short, long = make(pictures=3), make(pictures=12)
    assert short.answer_names == long.answer_names
    assert short.words == long.words
    assert short.observation_space == long.observation_space
    assert short.action_space == long.action_space
    assert max(long.begin(SEEDS, EPISODES)["support"].sum(-1).ravel()) > 3


def test_the_twin_sees_the_walk_and_the_question_at_once() -> None:
    plain, twin = make(pictures=3, kinds="seen"), make(pictures=3, kinds="seen", whole=True)
    assert twin.horizon == 1
    assert twin.observation_space["glimpse"].shape == (1, 1, 16, 64)
    one, both = plain.begin(SEEDS[:5], EPISODES[:5]), twin.begin(SEEDS[:5], EPISODES[:5])
    np.testing.assert_array_equal(one["target"], both["target"])
    seen = twin.observe(both)
    shown = [plain.present({**one, "time": np.full(5, step)}) for step in (0, 2, 4, 6)]
    np.testing.assert_allclose(seen["glimpse"][:, 0] * 255, np.concatenate(shown, axis=3), atol=1e-4)
    np.testing.assert_array_equal(seen["tokens"], one["tokens"][:, 0])


def test_the_oracle_looks_at_each_image() -> None:
    task = make(pictures=3, num_glimpses=3)
    path = np.concatenate([np.zeros((400, 1, 2), np.float32), task.gaze("oracle", SEEDS, EPISODES)], axis=1)
    centre = np.zeros_like(path)
    hits = [task.path_metrics(p, SEEDS, EPISODES)["attention/target_hit_rate"] for p in (path, centre)]
    assert hits[0] >= 2 / 3
    assert hits[1] < hits[0]
    np.testing.assert_array_equal(path[:, [3, 6]], path[:, [2, 5]])  # where the next picture follows, it stays


def test_what_a_question_shows_is_in_the_middle_without_clutter() -> None:
    task = make(kinds="seen", pieces=2, piece_size=3, pictures=2)
    state = task.begin(SEEDS[:20], EPISODES[:20])
    canvas = task.present({**state, "time": np.full(20, 4)})
    expected = np.zeros_like(canvas)
    expected[:, :, 4:12, 4:12] = state["index"][:, 2, None, None, None] + 1
    np.testing.assert_array_equal(canvas, expected)


def test_in_order_each_image_begins_a_walk() -> None:
    task = make(order="sequential")
    assert task.num_episodes == 40
    np.testing.assert_array_equal(task.begin(SEEDS[:40], EPISODES[:40])["index"][:, 0], np.arange(40))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"pictures": 13}, "pictures must be at most 12"),
        ({"questions": 0}, "questions must be"),
        ({"looks": 0}, "looks must be"),
        ({"kinds": "why"}, "kinds are one or more of what, where, count, seen, order, got why"),
        ({"kinds": ()}, "got none"),
        ({"whole": True, "questions": 2}, "set questions=1"),
        ({"delay": -1}, "delay is made of integers"),
        ({"delay": "4"}, "delay is a number of steps"),
        ({"order": "up"}, "order must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)


def test_pictures_are_called_as_the_questions_call_them() -> None:
    for numbers, named in (("first", ("1", "2", "3")), ("any", None)):
        task = make(pictures=3, numbers=numbers, order="sequential")
        for episode in (0, 5, 45):
            labels = task.walk_labels(7, episode)
            names = task.begin(np.array([7]), np.array([episode]))["names"][0]
            assert labels == tuple(str(name + 1) for name in names)
            assert named is None or labels == named
    walk = Walk([], np.arange(4), np.arange(0), (), None, ("2", "9"))
    assert [walk.label(number) for number in range(3)] == ["2", "9", ""]
    assert walk._replace(labels=()).label(2) == "3"
