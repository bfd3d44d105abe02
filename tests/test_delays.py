"""Delays of several lengths: which steps of its schedule an episode takes."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents import AgentConfig
from agents.training.checkpoint import save_atomically
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from glimpse_env.backend import get_backend
from glimpse_env.tasks.change_detection import ChangeDetection
from glimpse_env.tasks.delays import Delays, checked_delays
from runs.environments import make_env
from runs.evaluation import evaluate_checkpoint

SEEDS, EPISODES = np.full(300, 3), np.arange(300)


def test_each_delay_of_an_episode_has_one_of_the_lengths_and_nothing_else_is_left_out() -> None:
    number = np.array([-1, 0, 0, 0, -1, -1, 1, 1, 1, -1])
    taken = Delays(number, (1, 3)).positions(SEEDS, EPISODES, get_backend("numpy"))
    assert taken.shape == (300, 11)
    seen = {tuple(row[row < 10].tolist()) for row in taken}
    assert seen == {
        (0, 1, 4, 5, 6, 9),
        (0, 1, 2, 3, 4, 5, 6, 9),
        (0, 1, 4, 5, 6, 7, 8, 9),
        tuple(range(10)),
    }
    np.testing.assert_array_equal(taken[:, -1], 10)
    lengths = (taken < 10).sum(1)
    assert np.bincount(lengths, minlength=11)[[6, 8, 10]].min() > 50


def test_an_episode_ends_after_its_own_length_and_its_schedule_says_what_it_showed() -> None:
    task = ChangeDetection(get_backend("numpy"), delay=(1, 2, 6), num_glimpses=2)
    seeds, episodes = SEEDS[:30], EPISODES[:30]
    state, lengths = task.begin(seeds, episodes), task.lengths(seeds, episodes)
    assert set(lengths.tolist()) == {5, 6, 10}
    stages, ended = [], np.zeros(30, np.int64)
    for step in range(task.horizon):
        stages.append(task.observe(state)["stage"].argmax(1))
        outcome = task.act(state, {"location": np.zeros((30, 2), np.float32), "answer": state["target"][:, 0]})
        np.testing.assert_array_equal(outcome.info["scored"], step == lengths - 1)
        ended[outcome.terminated & (ended == 0)] = step + 1
        state = outcome.state
    np.testing.assert_array_equal(ended, lengths)
    for episode in (0, 7):
        schedule = task.schedule_of(3, episode)
        assert schedule is not None
        np.testing.assert_array_equal(schedule.shown, np.array(stages)[: lengths[episode], episode])
        np.testing.assert_array_equal(schedule.scored, np.arange(lengths[episode]) == lengths[episode] - 1)


@pytest.mark.parametrize("value", ["4", (), (1, 2.5), (0, 3), -1, None])
def test_what_is_no_length_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="delay is"):
        checked_delays(value, 1)


def test_one_length_is_one_of_several() -> None:
    assert checked_delays(3) == (3,)
    assert checked_delays([0, np.int64(4)]) == (0, 4)


def test_an_evaluation_of_delays_that_vary_gives_no_errors_by_step(tmp_path: Path) -> None:
    """A step is of a delay in one episode, and of the question in another."""
    env = EnvConfig("ChangeDetection-v0", arguments=("delay=(1, 6)", "squares=1", "num_glimpses=2"))
    recipe = Recipe("toy", env, AgentConfig(width=8, core="lstm"), "centre")
    trainer = Trainer.begin(recipe, make_env(recipe, "train", 2, torch.device("cpu")), torch.device("cpu"))
    save_atomically(trainer.best_agent("a machine"), tmp_path / "agent.pt")
    for arguments, by_glimpse in ((("delay=(1, 40)",), False), (("delay=3",), True)):
        report = evaluate_checkpoint(tmp_path / "agent.pt", episodes=1, arguments=arguments, device="cpu")
        assert ("error_by_glimpse" in report) == by_glimpse
        assert "error_random_gaze" in report
