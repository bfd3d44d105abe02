"""The T-maze: what is shown where, what a step costs, and who can know the side."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env.backend import get_backend
from glimpse_env.tasks.t_maze import DOWN, LEFT, RIGHT, UP, TMaze

ROWS = 6


def play(task: TMaze, moves: list[Any]) -> tuple[list[np.ndarray], np.ndarray, Any]:
    """What is seen before each move, the returns, and the last outcome."""
    state = task.begin(np.zeros(ROWS, np.int64), np.arange(ROWS))
    side, seen, earned = state["side"], [], np.zeros(ROWS)
    for move in moves:
        seen.append(task.observe(state)["seen"])
        answer = np.where(side > 0, UP, DOWN) if move == "turn" else np.full(ROWS, move)
        outcome = task.act(state, {"answer": answer})
        state, earned = outcome.state, earned + outcome.reward
    return seen, earned, outcome


def test_the_clue_is_seen_at_the_beginning_alone_and_the_junction_at_the_end() -> None:
    task = TMaze(get_backend("numpy"), length=4)
    side = task.begin(np.zeros(ROWS, np.int64), np.arange(ROWS))["side"]
    assert set(side) == {-1, 1}
    seen, earned, last = play(task, [RIGHT] * 4 + ["turn"])
    np.testing.assert_array_equal(seen[0], np.stack([side, 0 * side], 1))
    assert not np.stack(seen[1:4]).any()
    np.testing.assert_array_equal(seen[4], [[0, 1]] * ROWS)
    assert earned.tolist() == [1.0] * ROWS
    assert last.terminated.all()
    assert last.info["correct"].all()


def test_who_guesses_is_right_half_of_the_time_and_who_is_late_pays() -> None:
    task = TMaze(get_backend("numpy"), length=4)
    side = task.begin(np.zeros(ROWS, np.int64), np.arange(ROWS))["side"]
    _, earned, last = play(task, [RIGHT] * 4 + [UP])
    np.testing.assert_array_equal(earned, side > 0)
    np.testing.assert_array_equal(last.info["correct"], side > 0)
    _, earned, last = play(task, [UP] + [RIGHT] * 4)  # a step behind from the first to the last but one
    np.testing.assert_allclose(earned, -1.0)  # four of four: it arrives as the time is over
    assert last.terminated.all()
    assert not last.info["correct"].any()
    _, earned, _ = play(task, [LEFT] * 5)
    np.testing.assert_allclose(earned, -1.25)


def test_an_active_agent_fetches_the_clue_and_is_not_late() -> None:
    task = TMaze(get_backend("numpy"), length=4, active=True)
    side = task.begin(np.zeros(ROWS, np.int64), np.arange(ROWS))["side"]
    seen, earned, last = play(task, [LEFT] + [RIGHT] * 5 + ["turn"])
    assert not seen[0].any()
    np.testing.assert_array_equal(seen[1][:, 0], side)
    assert not np.stack(seen[2:6]).any()
    assert earned.tolist() == [1.0] * ROWS
    assert last.terminated.all()
    assert task.horizon == 7
    seen, _, _ = play(task, [RIGHT] * 4)
    assert not np.stack(seen)[..., 0].any()  # who does not go back never sees it


def test_the_best_moves_are_told_and_drawn() -> None:
    task = TMaze(get_backend("numpy"), length=2, active=True)
    state = task.begin(np.zeros(ROWS, np.int64), np.arange(ROWS))
    moves = []
    for _ in range(task.horizon):
        best = task.info(state)["target"]
        moves.append(int(best[0]))
        assert "@" in task.render(state, 0, "ansi")
        state = task.act(state, {"answer": best}).state
    assert moves[:-1] == [LEFT, RIGHT, RIGHT, RIGHT]
    assert moves[-1] == (UP if state["side"][0] > 0 else DOWN)
    first, middle, last = task.render(state, 0, "ansi").splitlines()
    assert (first if state["side"][0] > 0 else last).endswith("@")
    assert middle[0] == ("^" if state["side"][0] > 0 else "v")
    with pytest.raises(ValueError, match="length"):
        TMaze(get_backend("numpy"), length=0)
