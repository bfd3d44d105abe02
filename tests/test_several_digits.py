"""Several digits on one canvas: what is painted, and what the right answer is."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.tasks.several_digits import SeveralDigits, answers

SEEDS, EPISODES = np.full(60, 3), np.arange(60)
DIGITS = tuple(map(str, range(10)))


def make(backend: str = "numpy", **changes: Any) -> SeveralDigits:
    """Of 40 pictures of 8×8: image k is of class k % 10, and all its pixels are k + 1."""
    images = np.repeat(np.arange(1, 41, dtype=np.uint8), 64).reshape(40, 8, 8)
    settings: dict[str, Any] = {"images": images, "labels": np.arange(40) % 10, "dataset": None, "split": "all"}
    settings |= {"size": 40, "pieces": 0, "piece_size": 4, "patch": 4, "scales": 2}
    return SeveralDigits(get_backend(backend), **{**settings, **changes})


def test_pairs_have_55_answers_and_sums_19() -> None:
    names, table = answers(DIGITS, 2, "pair")
    assert (len(names), names[0], names[1], names[-1]) == (55, "0 0", "0 1", "9 9")
    assert all(names[table[10 * a + b]] == f"{min(a, b)} {max(a, b)}" for a in range(10) for b in range(10))
    names, table = answers(DIGITS, 2, "sum")
    assert names == tuple(map(str, range(19)))
    assert all(names[table[10 * a + b]] == str(a + b) for a in range(10) for b in range(10))


@pytest.mark.parametrize(("answer", "digits"), [("pair", 2), ("sum", 2), ("sum", 3), ("pair", 1)])
def test_the_answer_is_about_what_is_painted(answer: str, digits: int) -> None:
    """The images lie in their boxes, and their classes, read off the canvas, make the answer."""
    task = make(answer=answer, digits=digits)
    canvas, target = task.scenes(SEEDS, EPISODES)
    boxes, checked = task.target_boxes(SEEDS, EPISODES), 0
    assert boxes.shape == (60, digits, 4)
    for row in range(60):
        expected, classes = np.zeros((40, 40), int), []
        for left, top, right, bottom in boxes[row]:
            alone = np.ones((40, 40), bool)
            for other in boxes[row]:
                if tuple(other) != (left, top, right, bottom):
                    alone[other[1] : other[3], other[0] : other[2]] = False
            seen = canvas[row, 0, top:bottom, left:right][alone[top:bottom, left:right]]
            if not len(seen):
                break
            classes.append((int(seen[0]) - 1) % 10)
            expected[top:bottom, left:right] += seen[0]
        if len(classes) == digits:
            checked += 1
            np.testing.assert_array_equal(canvas[row, 0], expected)  # added where they overlap, black elsewhere
            said = str(sum(classes)) if answer == "sum" else " ".join(map(str, sorted(classes)))
            assert task.answer_names[target[row]] == said
    assert checked > 50


def test_what_overlaps_is_clamped_and_distractors_are_added_once() -> None:
    bright = np.full((40, 8, 8), 200, np.uint8)
    canvas = make(images=bright, size=10).scenes(SEEDS, EPISODES)[0]
    assert canvas.max() == 255
    few, many = (make(pieces=pieces).scenes(SEEDS, EPISODES)[0] for pieces in (0, 3))
    more = (many > 0).sum((1, 2, 3)) - (few > 0).sum((1, 2, 3))
    assert more.max() <= 3 * 16
    assert more.mean() > 16


def test_the_oracle_looks_at_all_digits_from_left_to_right() -> None:
    task = make(num_glimpses=4)
    boxes = task.target_boxes(SEEDS, EPISODES)
    middle = np.sort((boxes[..., 0] + boxes[..., 2]) / 40 - 1, axis=1)
    path = task.gaze("oracle", SEEDS, EPISODES)
    np.testing.assert_allclose(path[..., 0], middle[:, [0, 1, 0]], atol=1e-6)
    whole = np.concatenate([np.zeros((60, 1, 2), np.float32), path], axis=1)
    assert task.path_metrics(whole, SEEDS, EPISODES)["attention/target_hit_rate"] == 1


def test_in_order_each_image_is_the_first_digit_once_and_then_all_comes_again() -> None:
    task = make(order="sequential", split="all", pieces=0)
    boxes = task.target_boxes(np.zeros(80, np.int64), np.arange(80))
    canvas, target = task.scenes(np.zeros(80, np.int64), np.arange(80))
    np.testing.assert_array_equal(canvas[:40], canvas[40:])
    for row in range(40):
        assert str(row % 10) in task.answer_names[target[row]].split()
        left, top = boxes[row, 0, :2]
        assert canvas[row, 0, top, left] >= row + 1  # more where the other lies upon it


@pytest.mark.parametrize(
    ("change", "message"),
    [({"digits": 0}, "digits"), ({"digits": 5}, "at most 4"), ({"answer": "product"}, "answer must be")],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)
