"""`AssociativeRecall`: what is shown when, and that the answer due is the item after the one asked for."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from glimpse_env import GlimpseEnv, GlimpseVectorEnv
from glimpse_env.backend import get_backend
from glimpse_env.tasks.recall import AssociativeRecall


def begin(episodes: int = 200, seed: int = 0, **kwargs: Any) -> tuple[AssociativeRecall, dict[str, np.ndarray]]:
    task = AssociativeRecall(get_backend("numpy"), **kwargs)
    return task, task.begin(np.full(episodes, seed), np.arange(episodes))


def test_two_items_step_by_step() -> None:
    """Of two items the first is asked for and the second due."""
    env = GlimpseEnv("AssociativeRecall-v0", max_items=2)
    observation, told = env.reset(seed=6)
    assert told == {"num_items": 2, "query": 0}
    shown, targets, scored, ended = [observation["bits"]], [], [], False
    while not ended:
        observation, _, ended, _, info = env.step(env.action_space.sample())
        shown.append(observation["bits"])
        targets.append(info["target"])
        scored.append(info["scored"])
    assert np.shape(shown) == (17, 8)
    delimiters = np.stack(shown)[:, 6:].T
    assert delimiters[0].nonzero()[0].tolist() == [0, 4]
    assert delimiters[1].nonzero()[0].tolist() == [8, 12]
    vectors = np.stack(shown)[:, :6]
    assert not vectors[[0, 4, 8, 12, 13, 14, 15, 16]].any()
    np.testing.assert_array_equal(vectors[9:12], vectors[1:4])
    assert scored == [False] * 13 + [True] * 3
    assert not np.any(targets[:13])
    np.testing.assert_array_equal(targets[13:], vectors[5:8])


@pytest.mark.parametrize("kwargs", [{}, {"rows": 1, "bits": 9, "max_items": 12}, {"min_items": 5, "rows": 4}], ids=str)
def test_every_episode_asks_for_the_item_that_followed(kwargs: dict[str, Any]) -> None:
    task, state = begin(seed=1, **kwargs)
    rows, bits = task.rows, task.bits
    for shown, target, scored, items, query, steps in zip(
        *(state[key] for key in ("shown", "target", "scored", "num_items", "query", "steps")), strict=True
    ):
        listed = shown[: items * (rows + 1)].reshape(items, rows + 1, bits + 2)
        assert (listed[:, 0, bits] == 1).all()
        assert not listed[:, 0, :bits].any()
        assert not listed[:, 1:, bits:].any()
        question = shown[items * (rows + 1) :][: rows + 2]
        assert question[:, bits + 1].nonzero()[0].tolist() == [0, rows + 1]
        assert not question[:, bits].any()
        matches = (listed[:, 1:, :bits] == question[1:-1, :bits]).all(axis=(1, 2))
        assert matches[query]
        assert query < items - 1
        start = items * (rows + 1) + rows + 2
        np.testing.assert_array_equal(target[start:steps], listed[query + 1, 1:, :bits])
        assert scored.nonzero()[0].tolist() == list(range(start, steps))
        assert not shown[start:].any()
        assert not target[:start].any()
        assert steps == start + rows


def test_items_and_queries_are_uniform() -> None:
    items, query = (begin(5000)[1][key] for key in ("num_items", "query"))
    counts = np.bincount(items)
    assert len(counts) == 7
    assert (abs(counts[2:] / 5000 - 1 / 5) < 4 * (0.2 * 0.8 / 5000) ** 0.5).all()
    for number in range(2, 7):
        asked = np.bincount(query[items == number])
        share = 1 / (number - 1)
        assert len(asked) == number - 1
        assert (abs(asked / asked.sum() - share) <= 4 * (share * (1 - share) / asked.sum()) ** 0.5).all()


def test_bits_are_fair_and_items_differ() -> None:
    _, state = begin(1000, min_items=6)
    items = state["shown"][:, :24].reshape(1000, 6, 4, 8)[:, :, 1:, :6].reshape(1000, 108)
    assert (abs(items.mean(axis=0) - 0.5) < 4.5 * 0.5 / 1000**0.5).all()
    assert abs(np.corrcoef(items, rowvar=False) - np.eye(108)).max() < 5.2 / 1000**0.5
    assert len(np.unique(items.reshape(6000, 18), axis=0)) > 5900


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"bits": 0}, "bits must be an integer of at least 1, got 0"),
        ({"rows": 0}, "rows must be an integer of at least 1, got 0"),
        ({"min_items": 1}, "2 <= min_items <= max_items, got 1 and 6"),
        ({"min_items": 7}, "2 <= min_items <= max_items, got 7 and 6"),
        ({"max_items": "six"}, "must be integers .* got 2 and 'six'"),
    ],
    ids=str,
)
def test_what_cannot_be_asked_is_refused(kwargs: dict[str, Any], message: str) -> None:
    for face in (GlimpseEnv, GlimpseVectorEnv):
        with pytest.raises(ValueError, match=message):
            face("AssociativeRecall-v0", **kwargs)
