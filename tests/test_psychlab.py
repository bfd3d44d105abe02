"""What then where, change detection and visuomotor mapping: what is shown, what is right, what the agent is told."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.tasks.base import Task
from glimpse_env.tasks.change_detection import COLOURS, ChangeDetection
from glimpse_env.tasks.visuomotor_mapping import VisuomotorMapping
from glimpse_env.tasks.what_then_where import WhatThenWhere

NUMPY = get_backend("numpy")
SEEDS, EPISODES = np.full(200, 5), np.arange(200)
STILL = np.zeros((200, 2), np.float32)


def images(**changes: Any) -> dict[str, Any]:
    """Forty images of eight classes: image k is of class k % 8, and all its pixels are k + 1."""
    shown = np.repeat(np.arange(1, 41, dtype=np.uint8), 16).reshape(40, 4, 4)
    return {"images": shown, "labels": np.arange(40) % 8, "dataset": None, "split": "all", **changes}


def canvases(task: Any, state: dict[str, Any]) -> list[np.ndarray]:
    """What is shown at each step, for every episode."""
    return [task.present({**state, "time": np.full(len(EPISODES), step)}) for step in range(task.horizon)]


def where_then_what(**changes: Any) -> WhatThenWhere:
    return WhatThenWhere(NUMPY, **images(cell=4, patch=2, scales=2, delay=2, num_glimpses=2, **changes))


def test_the_first_image_is_where_the_answer_says_and_the_others_are_of_other_classes() -> None:
    task = where_then_what()
    state = task.begin(SEEDS, EPISODES)
    shown = canvases(task, state)
    assert len(shown) == 2 + 2 + 2 + 2 + 1
    what, where = shown[0], shown[4]
    for blank in (shown[2], shown[6], shown[8]):
        assert not blank.any()
    first = what[:, 0, 4:8, 4:8].max((1, 2))
    assert (np.count_nonzero(what, axis=(1, 2, 3)) == 16).all()
    cells = [(0, 1), (1, 2), (2, 1), (1, 0)]
    four = np.stack([where[:, 0, 4 * r : 4 * r + 4, 4 * c : 4 * c + 4].max((1, 2)) for r, c in cells], axis=1)
    assert (np.count_nonzero(where, axis=(1, 2, 3)) == 64).all()
    np.testing.assert_array_equal(four[EPISODES, state["target"][:, 0]], first)
    assert all(len({(int(value) - 1) % 8 for value in row}) == 4 for row in four)
    assert np.bincount(state["target"][:, 0], minlength=4).min() > 30
    assert len(set(first.tolist())) > 35


def test_a_pool_has_the_first_image_of_each_of_so_many_classes() -> None:
    task = where_then_what(pool=5)
    assert task.num_episodes == 5
    assert set(np.unique(task.begin(SEEDS, EPISODES)["index"])) == set(range(5))
    with pytest.raises(ValueError, match="3 classes take part"):
        where_then_what(pool=3)


def test_in_order_each_image_is_the_first_once() -> None:
    task = where_then_what(order="sequential")
    index = task.begin(SEEDS[:80], EPISODES[:80])["index"]
    assert sorted(index[:40, 0].tolist()) == list(range(40))
    np.testing.assert_array_equal(index[:40], index[40:])


def test_the_oracle_looks_at_the_four_in_an_order_that_does_not_tell_which_is_the_right_one() -> None:
    path = where_then_what().gaze("oracle", SEEDS, EPISODES)
    np.testing.assert_array_equal(path, np.tile(path[:1], (len(path), 1, 1)))
    np.testing.assert_allclose(path[0, 4], (0, -2 / 3), atol=1e-6)
    np.testing.assert_array_equal(path[:, [0, 1, 3, 6, 7]], 0)
    np.testing.assert_array_equal(path[:, 5], path[:, 4])  # where the delay follows, it stays


def test_squares_come_again_and_one_may_have_a_colour_that_none_had() -> None:
    task = ChangeDetection(NUMPY, delay=2, num_glimpses=2)
    state = task.begin(SEEDS, EPISODES)
    shown = canvases(task, state)
    before, after = shown[0], shown[4]
    assert not shown[2].any()
    assert not shown[3].any()
    changed = (before != after).any((1, 2, 3))
    np.testing.assert_array_equal(changed, state["target"][:, 0] == 1)
    assert 70 < changed.sum() < 130
    for one, other, count, differs in zip(before, after, task.groups(SEEDS, EPISODES) + 1, changed, strict=True):
        had, has = ({tuple(pixel) for pixel in canvas.reshape(3, -1).T if pixel.any()} for canvas in (one, other))
        assert len(had) == len(has) == count
        assert len(has - had) == int(differs)
        assert np.count_nonzero(one.any(0)) == count * task.side**2
        np.testing.assert_array_equal(one.any(0), other.any(0))


def test_colours_that_are_held_out_are_other_ones() -> None:
    assert not set(COLOURS["train"]) & set(COLOURS["held-out"])
    canvas = ChangeDetection(NUMPY, colours="held-out", squares=4).canvas(0, 0)
    seen = {tuple(map(int, pixel)) for pixel in canvas.reshape(-1, 3) if pixel.any()}
    assert len(seen) == 4
    assert seen <= set(COLOURS["held-out"])


@pytest.mark.parametrize("squares", [0, 5, (), (1, 5), "3", 2.5, None])
def test_a_wrong_number_of_squares_is_refused(squares: Any) -> None:
    with pytest.raises(ValueError, match="squares is a number from 1 to 4"):
        ChangeDetection(NUMPY, squares=squares)


def test_the_oracle_looks_at_the_squares() -> None:
    task = ChangeDetection(NUMPY, delay=1, squares=1)
    state, path = task.begin(SEEDS, EPISODES), task.gaze("oracle", SEEDS, EPISODES)
    middle = (state["place"][:, 0, ::-1] + task.side / 2) / 30 - 1
    for step in (0, 3, 4, 6, 9):  # where the delay follows, it stays
        np.testing.assert_allclose(path[:, step], middle, atol=1e-6)
    np.testing.assert_array_equal(path[:, 5], 0)


def test_the_next_square_of_the_oracle_depends_on_the_present_one_alone() -> None:
    """Clockwise, from the north on; the one in the middle is the last."""
    task = ChangeDetection(NUMPY, delay=1, squares=(2, 3, 4))
    path, counts = task.gaze("oracle", SEEDS, EPISODES), task.groups(SEEDS, EPISODES) + 1
    for places, count in zip(path, counts, strict=True):
        x, y = places[:count].T
        turn = np.where(np.hypot(x, y) < 1 / 3, 2 * np.pi, np.arctan2(x, -y) % (2 * np.pi))
        turn = np.where((abs(x) < 1 / 3) & (y < -1 / 3), 0, turn)  # north begins, wherever in its cell a square lies
        assert (np.diff(turn) > 0).all()
        for stage in (places[:4], places[6:10]):
            np.testing.assert_array_equal(stage, np.tile(places[:count], (3, 1))[:4])


def mapping(**changes: Any) -> VisuomotorMapping:
    return VisuomotorMapping(NUMPY, **images(size=4, patch=2, scales=2, trials=6, **changes))


def test_an_image_has_one_direction_and_the_step_after_an_answer_tells_whether_it_was_right() -> None:
    task = mapping()
    state = task.begin(SEEDS, EPISODES)
    assert task.horizon == 6 * 3 - 1
    answers, total = EPISODES % 4, np.zeros(200)
    for step in range(task.horizon):
        trial, into = divmod(step, 3)
        seen = task.observe(state)
        expected = np.zeros((200, 8), np.float32)
        if into == 2:
            wrong = answers != state["target"][:, trial]
            expected[EPISODES, answers + 4 * wrong] = 1
        np.testing.assert_array_equal(seen["feedback"], expected)
        outcome = task.act(state, {"location": STILL, "answer": answers})
        state, total = outcome.state, total + outcome.reward
        assert outcome.info["scored"].all() == (into == 1)
    np.testing.assert_allclose(total, (state["target"] == answers[:, None]).mean(1), atol=1e-6)
    late = (state["target"][:, 3:] == answers[:, None]).mean(1)
    np.testing.assert_allclose(outcome.info["late_success"], late)
    for shows, target in zip(state["shows"], state["target"], strict=True):
        assert len({(image, way) for image, way in zip(shows, target, strict=True)}) == len(set(shows)) <= 4
    assert np.bincount(state["target"].ravel(), minlength=4).min() > 200


def whole(task: type[Task], **settings: Any) -> Any:
    return task(NUMPY, whole=True, **settings)


def test_the_twins_see_all_at_once() -> None:
    twin = whole(WhatThenWhere, **images(cell=4))
    plain = where_then_what()
    state, both = plain.begin(SEEDS, EPISODES), twin.begin(SEEDS, EPISODES)
    np.testing.assert_array_equal(state["target"], both["target"])
    shown = canvases(plain, state)
    side = np.concatenate([shown[0], shown[4]], axis=3)
    np.testing.assert_allclose(twin.observe(both)["glimpse"][:, 0] * 255, side, atol=1e-4)

    twin, plain = whole(ChangeDetection), ChangeDetection(NUMPY)
    state = plain.begin(SEEDS, EPISODES)
    shown = canvases(plain, state)
    side = np.concatenate([shown[0], shown[-1]], axis=3)
    np.testing.assert_allclose(twin.observe(twin.begin(SEEDS, EPISODES))["glimpse"][:, 0] * 255, side, atol=1e-4)

    task = whole(VisuomotorMapping, **images(size=4))
    assert (task.canvas_size, int(task.begin(SEEDS, EPISODES)["shows"].max())) == ((4, 4), 39)
