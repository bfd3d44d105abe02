"""Catch: how the ball falls, what catches it, and that an agent learns it from reward alone."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.tasks.catch import UNIT, Catch

SEEDS, EPISODES = np.full(50, 7), np.arange(50)


def make(**changes: Any) -> Catch:
    return Catch(get_backend("numpy"), **changes)


def played(task: Catch, moves: Any) -> tuple[list[np.ndarray], Any]:
    """The screens of the episodes (T + 1, N, H, W), and the last outcome, where `moves` says what to do in a state."""
    state = task.begin(SEEDS, EPISODES)
    screens = [task.screen(state)[:, 0]]
    for _ in range(task.horizon):
        action = {"location": np.zeros((50, 2), np.float32), "answer": moves(state)}
        outcome = task.act(state, action)
        state = outcome.state
        screens.append(task.screen(state)[:, 0])
    return screens, outcome


def test_the_ball_falls_by_a_row_a_step_and_bounces_off_the_walls() -> None:
    """Against a ball that is moved a 256th of a pixel at a time."""
    task = make(speed=3.0)
    state = task.begin(SEEDS, EPISODES)
    screens, _ = played(task, lambda state: np.ones(50, np.int64))
    bounced = 0
    for row in range(50):
        place, speed = int(state["begin"][row, 0]), int(state["speed"][row, 0])
        assert abs(speed) <= 3 * UNIT
        for time, screen in enumerate(screens):
            ball = screen[row].copy()
            if time < task.horizon:
                ball[-1] = 0  # the paddle
                np.testing.assert_array_equal(np.argwhere(ball), [[time, place // UNIT]])
            else:
                assert ball[time, place // UNIT] == 255
            for _ in range(abs(speed)):
                place += int(np.sign(speed))
                if not 0 <= place < 24 * UNIT:
                    place, speed = min(max(place, 0), 24 * UNIT - 1), -speed
                    bounced += 1
    assert bounced > 20


def test_who_follows_the_target_catches_every_ball_and_who_stays_few() -> None:
    task = make()
    _, followed = played(task, task._towards)
    assert followed.terminated.all()
    assert followed.reward.all()
    screens, stayed = played(task, lambda state: np.ones(50, np.int64))
    assert 0 < stayed.reward.mean() < 0.3
    lowest = screens[-1][:, -1] > 0
    np.testing.assert_array_equal(stayed.reward == 1, lowest.sum(1) == 2)  # the ball is on the paddle, not beside it


def test_whether_it_can_still_be_caught() -> None:
    """Against trying: going towards it for all the steps that are left."""
    task = make(speed=2.0)
    generator = np.random.default_rng(0)
    for wasted in (5, 14, 20):
        moves, state = generator.integers(0, 3, (wasted, 50)), task.begin(SEEDS, EPISODES)
        for step in range(wasted):
            outcome = task.act(state, {"location": np.zeros((50, 2), np.float32), "answer": moves[step]})
            state = outcome.state
        can = outcome.info["correct"]
        for _ in range(task.horizon - wasted):
            action = {"location": np.zeros((50, 2), np.float32), "answer": task._towards(state)}
            outcome = task.act(state, action)
            state = outcome.state
        np.testing.assert_array_equal(can, outcome.reward == 1)


def test_distractors_keep_to_their_rows_and_the_oracle_looks_at_the_ball() -> None:
    task = make(distractors=3)
    state = task.begin(SEEDS, EPISODES)
    screens, _ = played(task, lambda state: np.ones(50, np.int64))
    above = np.stack(screens)[:, :, :-1]
    assert ((above > 0).sum((2, 3)) <= 4).all()
    for row in range(50):
        for time in range(0, 23, 5):
            assert above[time, row, state["row"][row, 1:]].any(axis=-1).all()
    path = task.gaze("oracle", SEEDS, EPISODES)
    pixel = np.floor((path + 1) / 2 * 24).astype(int)
    for time in range(1, 23):
        ball = np.stack(screens)[time][np.arange(50), pixel[:, time - 1, 1], pixel[:, time - 1, 0]]
        assert (ball == 255).all()


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"field": 4}, "field must be"),
        ({"speed": -1.0}, "speed must be"),
        ({"speed": "x"}, "speed must be"),
        ({"distractors": -1}, "distractors must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(**change)
