"""A task from outside the package: it observes a glimpse, a place and a question, and answers twice, with a stop.

Nothing in the package knows it. It is registered, seen through the encoders of its parts' roles, answered by the heads
of its action's roles, and learned with a memory that is queried by the question.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium import spaces

import glimpse_env
from agents import AgentConfig, evaluate
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from glimpse_env.rng import draw_words, integers
from glimpse_env.tasks import FACES, Outcome, Task
from runs.recipes import RECIPES

CELLS, COLOURS, SHAPES, STEPS = 3, 4, 3, 5


class SeeThenAnswer(Task):
    """Three cells each hold a colour and a shape, and are looked at one after the other. Then two questions name a cell
    each.

    The colour and the shape in the cell asked for are one answer, a `MultiDiscrete`. The second answer ends the
    episode; so does `stop`, before it: whoever stops early earns nothing more. Every step may have a cost.
    """

    def __init__(self, backend: Any, cost: float = 0.0) -> None:
        super().__init__(backend)
        self.horizon, self.max_answers, self.cost = STEPS, 2, cost
        self.observation_space = spaces.Dict(
            {
                "glimpse": spaces.Box(0, 1, (1, 1, 1, COLOURS + SHAPES), np.float32),
                "place": spaces.Box(-1, 1, (CELLS,), np.float32),
                "question": spaces.Box(0, CELLS, (1,), np.int64),
            }
        )
        self.action_space = spaces.Dict({"answer": spaces.MultiDiscrete([COLOURS, SHAPES]), "stop": spaces.Discrete(2)})
        self.roles = {"glimpse": "glimpse", "place": "place", "question": "tokens"}
        self.action_roles = {"answer": "classes", "stop": "stop"}

    def begin(self, seeds: Any, episodes: Any) -> dict[str, Any]:
        words = draw_words(seeds, episodes, 2 * CELLS + 2)
        xp = self.backend.xp
        colour, shape = integers(words[:, :CELLS], COLOURS), integers(words[:, CELLS : 2 * CELLS], SHAPES)
        asked = integers(words[:, 2 * CELLS :], CELLS)
        zero = xp.zeros_like(asked[:, 0])
        return {"cells": xp.stack([colour, shape], axis=2), "asked": asked, "time": zero, "over": zero > 0}

    def observe(self, state: dict[str, Any]) -> dict[str, Any]:
        xp, time = self.backend.xp, state["time"]
        rows = self.backend.rows(time.shape[0])
        cell = self.backend.clip(time, 0, CELLS - 1)
        asks = time >= CELLS
        question = state["asked"][rows, self.backend.clip(time - CELLS, 0, 1)]
        cell = xp.where(asks, question, cell)
        shown = ~asks
        n, device = time.shape[0], self.backend.device
        glimpse = xp.zeros((n, 1, 1, 1, COLOURS + SHAPES), dtype=xp.float32, device=device)
        colour, shape = state["cells"][rows, cell, 0], state["cells"][rows, cell, 1]
        glimpse[rows, 0, 0, 0, colour] = xp.astype(shown, xp.float32)
        glimpse[rows, 0, 0, 0, COLOURS + shape] = xp.astype(shown, xp.float32)
        place = xp.zeros((n, CELLS), dtype=xp.float32, device=device)
        place[rows, cell] = 1.0
        return {"glimpse": glimpse, "place": place, "question": xp.where(asks, question + 1, 0)[:, None]}

    def act(self, state: dict[str, Any], action: dict[str, Any]) -> Outcome:
        xp, time = self.backend.xp, state["time"]
        rows = self.backend.rows(time.shape[0])
        scored = (time >= CELLS) & ~state["over"]
        target = state["cells"][rows, state["asked"][rows, self.backend.clip(time - CELLS, 0, 1)]]
        hits = xp.sum(xp.astype(action["answer"] == target, xp.float32), axis=1)
        reward = hits * xp.astype(scored, xp.float32) / 4 - self.cost
        over = state["over"] | (action["stop"] == 1) | (time + 1 >= STEPS)
        info = {"target": target, "scored": scored, "correct": scored & (hits == 2)}
        state = {**state, "time": self.backend.clip(time + 1, 0, STEPS), "over": over}
        return Outcome(state, reward, self.backend.copy(over), info)

    def info(self, state: dict[str, Any]) -> dict[str, Any]:
        return {}

    def render(self, state: dict[str, Any], row: int, mode: str) -> Any:
        return np.zeros((8, 8, 3), np.uint8)


@pytest.fixture(scope="module", autouse=True)
def registered():
    glimpse_env.register_task("SeeThenAnswer-v0", SeeThenAnswer)
    yield
    glimpse_env.tasks.TASKS.pop("SeeThenAnswer-v0")
    for face in FACES:
        gym.registry.pop(f"Glimpse/SeeThenAnswer{face}-v0")


def make(rows: int, cost: float) -> Any:
    name = "Glimpse/SeeThenAnswer-v0"
    return gym.make_vec(name, num_envs=rows, backend="torch", autoreset_mode="Disabled", cost=cost)


def trained(memory: str, updates: int, cost: float = 0.0, **config: Any) -> tuple[Trainer, Any]:
    agent = AgentConfig(width=32, core="none", memory=memory, **config)
    recipe = Recipe(
        env=EnvConfig("SeeThenAnswer-v0"),
        agent=agent,
        episodes=128 * updates,
        batch=128,
        lr=5e-3,
        estimator="reinforce",
        discount=1.0,
        gaze_lr=1.0,
        max_grad_norm=1.0,
    )
    trainer = Trainer.begin(recipe, make(128, cost), torch.device("cpu"))
    for _ in range(updates):
        train_update(trainer)
    return trainer, evaluate(trainer.agent, make(500, cost), 1000, seed=10**6)


def test_episodic_memory_learns_it_and_learns_not_to_stop():
    options = ("slots=5", "width=32", "heads=2", "hops=1", "feedforward=0")
    _, result = trained("episodic", 350, memory_options=options, asks=("question",))
    assert result.error is not None
    assert result.error < 5, result
    assert result.mean_length == STEPS
    assert result.mean_return > 0.95


def test_the_recipe_for_environments_of_ones_own_takes_it():
    """`python -m runs.train --env your_module:Glimpse/SeeThenAnswer-v0 --answer-weights scored`."""
    recipe = replace(RECIPES["join"], env=EnvConfig("SeeThenAnswer-v0"), answer_weights="scored")
    trainer = Trainer.begin(recipe, make(recipe.batch, 0.0), torch.device("cpu"))
    before = [parameter.clone() for parameter in trainer.agent.parameters()]
    train_update(trainer)
    assert any(not torch.equal(a, b) for a, b in zip(before, trainer.agent.parameters(), strict=True))


def test_without_a_memory_it_stays_at_chance():
    _, result = trained("none", 150)
    assert result.mean_length == STEPS
    chance = 100 * (1 - (1 / COLOURS + 1 / SHAPES) / 2)
    assert result.error == pytest.approx(chance, abs=4), result


def test_the_agent_maximises_the_reward_of_the_environment_whatever_it_is():
    """Where every step costs more than all answers earn, the best is to stop at once, whatever is right."""
    _, result = trained("none", 150, cost=0.5)
    assert result.mean_length < 1.1, result
    assert result.mean_return == pytest.approx(-0.5, abs=0.05)


def test_the_error_by_step_counts_an_answers_parts_as_the_error_does():
    _, result = trained("none", 150)
    assert result.mean_length == STEPS
    assert result.error == pytest.approx(np.mean(result.error_by_step[CELLS:]))
    assert result.wrong_episodes > result.error
