"""The faults found in public ports of the recurrent attention model, each with the test that would find it here.

1. The log-probability is that of the clamped sample: `test_training.py`, the log-probability is of the sample drawn.
2. The mean is detached, so that the gaze never learns: here, and `test_losses.py`, log-probabilities train the mean.
3. The last location, never looked at, is in the sum: `test_training.py`, it enters no loss; the returns by hand, here.
4. The advantage is not detached from the baseline: `test_losses.py`, no gradient passes through the advantage.
5. Many gaze paths are averaged at test time: here.
6. Models are selected on the test set: here.
7. A Python loop over the batch: here.
8. Distractors are cut from the shown image, or from the batch: `test_scenes.py`, pieces come from every image but the
   one shown, and a scene does not depend on its batch.
9. No robustness to scale: here, as far as the retina gives it. Training on digits of many sizes is not attempted.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode

from agents import AgentConfig, evaluate, play
from agents.loading import Agent
from agents.rollout import Rollout
from glimpse_env.images import load_images
from glimpse_env.retina import Retina, glimpse, summed_area_table
from runs.environments import make_env
from runs.objective import gaze_returns, total_loss, trained_answers
from runs.recipe import EnvConfig, Recipe
from runs.train import train
from runs.trainer import Trainer

CPU = torch.device("cpu")
PAPER = replace(AgentConfig.paper(), width=32)


@pytest.fixture
def recipe(images: str) -> Recipe:
    """Find the figure on a 16×16 canvas with three glimpses of 4×4."""
    env = EnvConfig("Classify-v0", images=images, size=16, patch=4, scales=2, num_glimpses=3)
    return Recipe("toy", env, AgentConfig(width=32, where_stream=32), episodes=128, batch=64)


def wandering(recipe: Recipe, env: Any) -> Agent:
    """A fresh agent whose gaze moves, which at first it would not."""
    agent = Trainer.begin(recipe, env, CPU).agent
    for parameter in agent.gaze_parameters():
        nn.init.normal_(parameter, std=0.2)
    return agent


def known(log_likelihood: list[list[float]]) -> Rollout:
    """A rollout of which only the log-likelihoods of the truth (T, N) are told."""
    values, nothing = torch.tensor(log_likelihood, requires_grad=True), torch.zeros(())
    return Rollout(nothing, nothing, nothing, nothing, values, nothing)


@pytest.mark.parametrize("config", [AgentConfig(width=32, where_stream=32), PAPER], ids=["ours", "paper"])
def test_fault_2_the_loss_of_an_episode_trains_every_part_of_the_gaze(recipe: Recipe, config: AgentConfig) -> None:
    recipe = replace(recipe, agent=config)
    env = make_env(recipe, "train", 16, CPU)
    agent = wandering(recipe, env)
    noise = torch.randn(2, 16, 2, generator=torch.Generator().manual_seed(0))
    rollout = play(agent, env, np.arange(16), seed=1, std=recipe.std, noise=noise)
    total_loss(recipe, rollout)[0].backward()
    gradients = [parameter.grad for parameter in agent.gaze_parameters()]
    assert all(gradient is not None and gradient.any() for gradient in gradients)


def test_fault_3_a_location_earns_what_is_seen_from_it_on(recipe: Recipe) -> None:
    """The location chosen after the first glimpse is looked at in the second: its first gain is -2 - -4."""
    rollout = known([[-4.0, 0.0], [-2.0, -1.0], [-1.0, -3.0], [-0.5, -3.0]])
    returns = gaze_returns(replace(recipe, reward="gain", discount=0.5), rollout)
    assert returns.tolist() == [[2.625, -2.0], [1.25, -2.0], [0.5, 0.0]]
    assert not returns.requires_grad
    undiscounted = gaze_returns(replace(recipe, reward="gain", discount=1.0), rollout)
    assert undiscounted.tolist() == [[3.5, -3.0], [1.5, -2.0], [0.5, 0.0]]


@pytest.mark.parametrize(
    ("answers", "expected"),
    [
        ("all", [[-4.0, -8.0], [-2.0, -1.0], [-1.0, 0.0]]),
        ("later", [[-2.0, -4.0], [-2.0, -1.0], [-1.5, 0.0]]),  # weighted by 1/2, 1 and 3/2
        ("last", [[-1.0, 0.0]]),
    ],
)
def test_the_answers_that_are_trained_by_hand(recipe: Recipe, answers: Any, expected: list[list[float]]) -> None:
    likelihood = torch.tensor([[-4.0, -8.0], [-2.0, -1.0], [-1.0, 0.0]])
    assert trained_answers(replace(recipe, answers=answers), likelihood).tolist() == expected


def test_fault_5_an_evaluation_looks_at_the_mean_along_one_path(
    recipe: Recipe, monkeypatch: pytest.MonkeyPatch
) -> None:
    env = make_env(recipe, "train", 30, CPU)
    agent = wandering(recipe, env)
    with torch.no_grad():
        rollouts = [play(agent, env, np.arange(first, first + 30), seed=5) for first in (0, 30)]
    wrong = torch.cat([rollout.answer.argmax(-1) != rollout.target for rollout in rollouts], dim=1)
    means = torch.cat([rollout.location[1:] for rollout in rollouts])
    looked: list[Tensor] = []
    step = env.step
    monkeypatch.setattr(env, "step", lambda action: looked.append(action["location"].clamp(-1, 1)) or step(action))
    first, second = evaluate(agent, env, 60, seed=5), evaluate(agent, env, 60, seed=5)
    assert len(means.flatten(0, 1).unique(dim=0)) > 60  # the agent looks around
    assert torch.equal(torch.stack(looked), torch.cat([means, means]))
    assert first == second
    assert first.error_by_glimpse == pytest.approx((100 * wrong.double().mean(1)).tolist(), abs=1e-3)


def test_fault_6_a_training_never_opens_the_test_split(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened = set()

    def spy(images: Any, labels: Any, split: str) -> Any:
        opened.add(split)
        return load_images(images, labels, split)

    monkeypatch.setattr("glimpse_env.tasks.classify.load_images", spy)
    train(recipe, tmp_path, device="cpu", quiet=True)
    assert opened == {"train", "validation"}


class Operations(TorchDispatchMode):
    """The names of the operations that reach the device."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        self.names.append(str(func))
        return func(*args, **(kwargs or {}))


def test_fault_7_a_glimpse_takes_as_many_operations_for_64_episodes_as_for_2(recipe: Recipe) -> None:
    def operations(batch: int) -> list[str]:
        env = make_env(recipe, "train", batch, CPU)
        agent = Trainer.begin(recipe, env, CPU).agent
        action = {"location": torch.zeros(batch, 2), "answer": torch.zeros(batch, dtype=torch.int64)}
        env.reset(seed=0)
        env.step(action)  # computes what is computed once and kept
        with Operations() as counted:
            observation = env.step(action)
            agent(observation[0], agent.initial_state(batch))
        return counted.names

    few, many = operations(2), operations(64)
    assert "aten.addmm.default" in few  # the agent's layers are counted
    assert few == many


def test_fault_9_each_scale_sees_a_figure_twice_as_large_as_the_scale_before_it_sees_the_figure() -> None:
    """Exactly, at every pixel corner: what is too large for one scale is the next one's. Nothing else is claimed."""
    canvas = np.random.default_rng(0).integers(0, 256, (1, 3, 16, 32), dtype=np.uint8)
    larger = canvas.repeat(2, axis=2).repeat(2, axis=3)
    x, y = np.meshgrid(np.linspace(-1, 1, 33, dtype=np.float32), np.linspace(-1, 1, 17, dtype=np.float32))
    corners = np.stack([x.ravel(), y.ravel()], axis=-1)
    tables = [summed_area_table(scene).repeat(len(corners), axis=0) for scene in (canvas, larger)]
    seen = glimpse(tables[0], corners, Retina((6, 4), 3))
    seen_larger = glimpse(tables[1], corners, Retina((6, 4), 4))
    np.testing.assert_array_equal(seen_larger[:, 1:], seen)
