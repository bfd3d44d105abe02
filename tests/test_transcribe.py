"""A row of digits: what is painted, what is to be said when, and when it ends."""

from __future__ import annotations

import itertools
from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.row_scenes import shrinking
from glimpse_env.tasks.transcribe import Transcribe

SEEDS, EPISODES = np.full(80, 6), np.arange(80)


def make(**changes: Any) -> Transcribe:
    """Of 40 pictures of 8×8: image k is of class k % 10, and all its pixels are k + 1."""
    images = np.repeat(np.arange(1, 41, dtype=np.uint8), 64).reshape(40, 8, 8)
    settings: dict[str, Any] = {"images": images, "labels": np.arange(40) % 10, "dataset": None, "split": "all"}
    settings |= {"size": (20, 44), "sides": (4, 8), "piece_size": 3, "patch": 4, "scales": 2}
    return Transcribe(get_backend("numpy"), **{**settings, **changes})


def test_digits_lie_side_by_side_from_left_to_right_as_their_boxes_say() -> None:
    task = make()
    canvas, symbols = task.scenes(SEEDS, EPISODES)
    boxes = task.target_boxes(SEEDS, EPISODES)
    counts, sides = set(), set()
    for row in range(80):
        there = [tuple(box) for box in boxes[row] if box[2] > box[0]]
        assert all(before[2] <= after[0] for before, after in itertools.pairwise(there))
        expected, said = np.zeros((20, 44), int), []
        for left, top, right, bottom in there:
            assert right - left == bottom - top
            assert 4 <= right - left <= min(8, 44 // len(there))
            value = canvas[row, 0, top, left]
            expected[top:bottom, left:right] = value  # a shrunk image of one grey has that grey
            said.append((int(value) - 1) % 10)
            sides.add(right - left)
        np.testing.assert_array_equal(canvas[row, 0], expected)
        assert symbols[row].tolist() == said + [task.stop] * (6 - len(said))
        counts.add(len(said))
    assert counts == {1, 2, 3, 4, 5}
    assert sides == {4, 5, 6, 7, 8}


def test_shrinking_is_the_mean_of_what_a_pixel_covers() -> None:
    """Against an image whose pixels are repeated until both grids fit into it."""
    weights, image = shrinking(6, 6), np.random.default_rng(0).integers(0, 256, (6, 6))
    for size in range(1, 7):
        fine = np.kron(image, np.ones((size, size)))
        expected = fine.reshape(size, 6, size, 6).mean((1, 3))
        np.testing.assert_allclose((weights[size] @ image @ weights[size].T)[:size, :size] / 36, expected)
        assert not weights[size][size:].any()


def test_distractors_are_crops_that_are_added() -> None:
    alone, among = (make(pieces=pieces).scenes(SEEDS, EPISODES)[0].astype(int) for pieces in (0, 3))
    assert (among >= alone).all()
    changed = (among > alone).sum((1, 2, 3))
    assert changed.max() <= 3 * 9
    assert changed.mean() > 9


def said_through(task: Transcribe, answers: Any) -> list[Any]:
    """The outcomes of episodes, where `answers` is a function of the state and the step."""
    state, outcomes = task.begin(SEEDS, EPISODES), []
    for step in range(task.horizon):
        action = {"location": np.zeros((80, 2), np.float32), "answer": answers(state, step)}
        outcomes.append(task.act(state, action))
        state = outcomes[-1].state
    return outcomes


def ended(outcomes: list[Any]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Of each episode the step of its end, whether all was right, and what was earned until then."""
    over = np.stack([outcome.terminated for outcome in outcomes])
    last = over.argmax(0)
    earned = np.stack([outcome.reward for outcome in outcomes])
    earned = (earned * (np.arange(len(over))[:, None] <= last)).sum(0)
    return last, np.stack([outcome.info["correct"] for outcome in outcomes])[last, np.arange(80)], earned


@pytest.mark.parametrize("looks", [1, 2, 3])
def test_who_says_what_is_due_is_right_and_stops_after_the_last(looks: int) -> None:
    task = make(looks=looks)
    count = task.begin(SEEDS, EPISODES)["count"]
    outcomes = said_through(task, lambda state, step: task._due(state))
    last, correct, earned = ended(outcomes)
    np.testing.assert_array_equal(last, count * looks)  # "stop" needs no further looks
    assert correct.all()
    np.testing.assert_allclose(earned, 1, rtol=1e-6)
    assert all((outcome.info["scored"] == outcome.terminated).all() for outcome in outcomes)


def test_what_is_wrong_makes_the_row_wrong_and_costs_its_own_share() -> None:
    task = make(digits=(3, 5))
    count = task.begin(SEEDS, EPISODES)["count"]

    def second_wrong(state: Any, step: int) -> np.ndarray:
        due = task._due(state)
        return (due + 1) % 10 if step == 3 else due

    _, correct, earned = ended(said_through(task, second_wrong))
    assert not correct.any()
    np.testing.assert_allclose(earned, count / (count + 1), rtol=1e-6)
    _, correct, _ = ended(said_through(task, lambda state, step: np.minimum(task._due(state), 9)))
    assert not correct.any()  # nobody ever says "stop"
    last, correct, earned = ended(said_through(task, lambda state, step: np.full(80, task.stop)))
    assert not last.any()
    assert not correct.any()
    assert not earned.any()


def test_what_is_said_between_counts_for_nothing() -> None:
    task = make(looks=2)

    def careless(state: Any, step: int) -> np.ndarray:
        due = task._due(state)
        return np.where((step % 2 == 0) & (due != task.stop), (due + 1) % 10, due)

    _, correct, _ = ended(said_through(task, careless))
    assert correct.all()


def test_the_oracle_looks_at_each_digit_in_its_turn() -> None:
    task = make(looks=2)
    path, boxes = task.gaze("oracle", SEEDS, EPISODES), task.target_boxes(SEEDS, EPISODES)
    count = task.begin(SEEDS, EPISODES)["count"]
    for row in range(80):
        for step in range(1, task.horizon):
            left, top, right, bottom = boxes[row, min(step // 2, count[row] - 1)]
            np.testing.assert_allclose(
                path[row, step - 1], [(left + right) / 44 - 1, (top + bottom) / 20 - 1], atol=1e-6
            )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"digits": 0}, "digits are"),
        ({"digits": (3, 1)}, "digits are"),
        ({"sides": (4, 9)}, "sides are at most"),
        ({"digits": 12}, "fit side by side"),
        ({"looks": 0}, "looks must be"),
        ({"order": "foo"}, "order must be"),
        ({"piece_size": 9, "pieces": 1}, "piece_size is at most"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)
