"""Megapixel MNIST: what is painted, what is asked, and that what it takes does not depend on the canvas."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, make_agent
from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN
from glimpse_env.megapixel_scenes import DIGITS, PATTERNS, SAME, stroke_patterns
from glimpse_env.tasks.megapixel import Megapixel, shrunk
from runs.traces.pictures import pictures_of
from runs.traces.trace import record_traces

SEEDS, EPISODES = np.full(40, 8), np.arange(40)


def make(backend: str = "numpy", **changes: Any) -> Megapixel:
    """Of 40 pictures of 8×8: image k is of class k % 10, and all its pixels are k + 1."""
    images = np.repeat(np.arange(1, 41, dtype=np.uint8), 64).reshape(40, 8, 8)
    settings: dict[str, Any] = {"images": images, "labels": np.arange(40) % 10, "dataset": None, "split": "all"}
    settings |= {"size": 200, "side": 8, "strokes": 0, "patch": 6, "scales": 2, "num_glimpses": 3}
    return Megapixel(get_backend(backend), **{**settings, **changes})


def digits_of(task: Megapixel, canvas: np.ndarray, row: int) -> list[tuple[int, int, int]]:
    """Class, x and y of each digit, read off the canvas where the scene says that it lies."""
    corners = task.drawn(SEEDS, EPISODES).corner[row]
    found = []
    for x, y in corners:
        block = canvas[row, 0, y : y + task.side, x : x + task.side]
        assert (block == block[0, 0]).all()
        assert block[0, 0] > 0
        found.append(((int(block[0, 0]) - 1) % 10, int(x), int(y)))
    return found


@pytest.mark.parametrize("question", ["majority", "max", "top", "multi"])
def test_three_of_one_class_and_two_of_others_and_the_answer_about_them(question: str) -> None:
    task = make(question=question)
    canvas, target = task.scenes(SEEDS, EPISODES)
    for row in range(40):
        digits = digits_of(task, canvas, row)
        assert (canvas[row] > 0).sum() == DIGITS * 64  # none covers another
        labels = [label for label, _, _ in digits]
        most = max(set(labels), key=labels.count)
        assert labels.count(most) == SAME
        if question == "majority":
            assert target[row] == most
        elif question == "max":
            assert target[row] == max(labels)
        elif question == "top":
            assert target[row] in {label for label, _, y in digits if y == min(y for *_, y in digits)}
        else:
            assert np.flatnonzero(target[row]).tolist() == sorted(set(labels))


def test_the_boxes_are_those_of_what_the_answer_rests_on() -> None:
    for question, count in (("majority", SAME), ("max", 1), ("top", 1), ("multi", DIGITS)):
        task = make(question=question)
        canvas, target = task.scenes(SEEDS, EPISODES)
        boxes = task.target_boxes(SEEDS, EPISODES)
        assert boxes.shape == (40, count, 4)
        if question != "multi":
            for row in range(40):
                assert {(int(canvas[row, 0, top, left]) - 1) % 10 for left, top, _, _ in boxes[row]} == {target[row]}


def test_all_questions_at_once_are_answered_as_each_alone_and_reported_apart() -> None:
    task, each = make(question="all"), [make(question=name) for name in ("majority", "max", "top", "multi")]
    targets = [one.scenes(SEEDS, EPISODES)[1] for one in each]
    found = task.scenes(SEEDS, EPISODES)[1]
    assert task.action_space["answer"].nvec.tolist() == [10] * 3 + [2] * 10
    for number in range(3):
        np.testing.assert_array_equal(found[:, number], targets[number])
    np.testing.assert_array_equal(found[:, 3:], targets[3])
    assert task.part_families == {"majority": (0,), "max": (1,), "top": (2,), "multi": tuple(range(3, 13))}
    assert task.target_boxes(SEEDS, EPISODES).shape == (40, DIGITS, 4)


def test_strokes_lie_above_or_below_the_digits() -> None:
    white = np.full((40, 8, 8), 255, np.uint8)
    bare = make(images=white, size=112).scenes(SEEDS, EPISODES)[0]
    below, above = (
        make(images=white, size=112, strokes=40, digits_on_top=top).scenes(SEEDS, EPISODES)[0] for top in (True, False)
    )
    assert (below[bare > 0] == 255).all()
    assert (above[bare > 0] < 255).any()
    assert (below > 0).sum() > 3 * (bare > 0).sum()


def test_patterns_differ_and_are_bright_lines() -> None:
    patterns = stroke_patterns()
    assert len(np.unique(patterns.reshape(PATTERNS, -1), axis=0)) == PATTERNS
    lit = patterns > 0
    assert patterns[lit].min() >= 0.8 * 255 - 1
    assert (lit.sum((1, 2)) > 28).all()
    assert (lit.sum((1, 2)) < 28 * 28 / 3).all()


def test_fixed_scenes_come_again_in_training_alone() -> None:
    images = np.repeat(np.arange(1, 101, dtype=np.uint8), 64).reshape(100, 8, 8)
    data = {"images": images, "labels": np.arange(100) % 10, "scenes": 20}
    train, test = (make(split=split, **data) for split in ("train", "test"))
    canvas = train.scenes(SEEDS, EPISODES)[0]
    np.testing.assert_array_equal(canvas[:20], canvas[20:])
    np.testing.assert_array_equal(canvas, train.scenes(SEEDS + 1, EPISODES)[0])
    assert len(np.unique(test.scenes(SEEDS, EPISODES)[0].reshape(40, -1), axis=0)) == 40


def test_glimpses_and_overviews_without_tables_are_those_with_them() -> None:
    bare, one_by_one, summed = (make(overview=20, strokes=10) for _ in range(3))
    one_by_one.ops, summed.tables = PLAIN, True
    assert not bare.tables
    place = np.random.default_rng(0).uniform(-1, 1, (40, 2)).astype(np.float32)
    seen = [task.observe({**task.begin(SEEDS, EPISODES), "location": place}) for task in (summed, bare, one_by_one)]
    for without in seen[1:]:
        assert seen[0].keys() == without.keys()
        for key, value in seen[0].items():
            np.testing.assert_array_equal(value, without[key])
    assert bare.begin(SEEDS, EPISODES)["source"].nbytes == 40 * 200 * 200  # a byte for a pixel, and no more


def test_classes_without_an_image_are_left_out() -> None:
    labels = np.arange(40) % 3 + 4
    task = make(labels=labels, classes=12)
    scene = task.drawn(SEEDS, EPISODES)
    np.testing.assert_array_equal(labels[scene.index], scene.label)
    assert set(np.unique(scene.label)) == {4, 5, 6}


def test_smaller_digits_are_means() -> None:
    image = np.random.default_rng(0).integers(0, 256, (3, 8, 8)).astype(np.uint8)
    np.testing.assert_array_equal(
        shrunk(image, 4), np.floor(image.reshape(3, 4, 2, 4, 2).mean((2, 4)) + 0.5).astype(np.uint8)
    )
    np.testing.assert_array_equal(shrunk(image, 8), image)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"question": "sum"}, "question must be"),
        ({"side": 9}, "side is at most"),
        ({"side": 2.5}, "side must be"),
        ({"classes": 12, "labels": np.zeros(40, int)}, "all of one"),
        ({"size": 50}, "size must be"),
        ({"scenes": 0}, "scenes must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)


def test_of_all_questions_the_first_is_drawn_as_a_gaze() -> None:
    images = np.repeat(np.arange(1, 41, dtype=np.uint8), 64).reshape(40, 8, 8)
    settings = {"images": images, "labels": np.arange(40) % 10, "dataset": None, "split": "all", "scenes": None}
    settings |= {"size": 120, "side": 8, "strokes": 0, "patch": 6, "scales": 2, "num_glimpses": 3, "question": "all"}
    env = gym.make_vec("glimpse_env:Glimpse/Megapixel-v0", num_envs=2, **settings)
    torch.manual_seed(0)
    agent = make_agent(env, AgentConfig(width=16))
    for trace in record_traces(agent, env, np.arange(2)):
        assert (trace.role, trace.answer.shape, trace.beliefs.shape) == ("glimpse", (1,), (3, 10))
        np.testing.assert_allclose(trace.beliefs.sum(1), 1, rtol=1e-5)
        assert trace.answer[0] == trace.beliefs[-1].argmax()
        majority = env.unwrapped.task.drawn(np.zeros(1, np.int64), np.array([trace.episode])).label[0, 0]
        assert trace.label == majority
        assert pictures_of(trace).animation is not None
