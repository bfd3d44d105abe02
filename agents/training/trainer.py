"""A training in progress: one update, and the state that a checkpoint holds."""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
import torch
from torch import Tensor

from agents.agent import AttentionAgent
from agents.batched_env import BatchedEnv
from agents.collect import collect
from agents.loading import agent_to_dict, copy_weights, make_agent
from agents.names import differences, names_in, names_of
from agents.training.curriculum import Curriculum
from agents.training.distributed import average_buffers, average_gradients, rank, world_size
from agents.training.estimators import ESTIMATORS, following
from agents.training.exploration import drawn_parts, exploration_noise
from agents.training.finite import all_finite
from agents.training.losses import trajectory_loss
from agents.training.optimizers import make_optimizers, set_learning_rate
from agents.training.recipe import Recipe
from agents.trajectory import Trajectory


class Prior(Protocol):
    """What draws the gaze beside the reward, such as `runs.saliency_prior.SaliencyPrior`."""

    @property
    def digest(self) -> str:
        """Of its content, so that a resumed training knows whether it is the same."""

    def at(self, trajectory: Trajectory) -> tuple[Tensor, Tensor]:
        """Its value at every place that was seen, and how well that agrees with it, both (T, N)."""


@dataclass
class Trainer:
    """All that changes in a training, and so all that a checkpoint needs to go on exactly.

    Scenes are functions of (seed, episode number), and exploration is one of (seed, update): the number of updates
    stands for both.
    """

    recipe: Recipe
    env: BatchedEnv
    agent: AttentionAgent
    optimizers: list[torch.optim.Optimizer]
    curriculum: Curriculum
    update: int = 0
    best_error: float = math.inf
    best_weights: dict[str, Tensor] | None = None
    stale: int = 0
    """Validations since the least error."""
    seconds: float = 0.0
    names: dict[str, list[str]] = field(default_factory=dict)
    """What the numbers of words and answers stand for: `metadata["names"]`."""
    data: dict[str, str] = field(default_factory=dict)
    """The `source` of the data that episodes show, and their `digest`."""
    prior: Prior | None = None
    """What draws the gaze beside the reward."""
    finite: Tensor | None = None
    """Whether every loss and gradient so far was finite, on the device; None before the first update."""

    @staticmethod
    def begin(
        recipe: Recipe, env: Any, device: torch.device, *, prior: Prior | None = None, restored: bool = False
    ) -> Trainer:
        """A training at its start; one to be `restored` needs no weights to begin with.

        Raises:
            ValueError: for options that do not go with the environment or with each other.
        """
        recipe.check()
        torch.manual_seed(recipe.seed)
        batched = BatchedEnv(env, device)
        agent = make_agent(env, recipe.agent)
        check(recipe, batched, agent, prior)
        names = names_of(batched.metadata)
        data = {"source": batched.metadata.get("source", ""), "digest": batched.digest()}
        if recipe.init_from and not restored:
            copy_weights(agent, recipe.init_from, names)
        agent = agent.to(device)
        if not (recipe.init_from or restored):
            agent.prepare(batched, recipe.seed)
        optimizers = make_optimizers(recipe, agent)
        curriculum = Curriculum.begin(recipe, batched)
        return Trainer(recipe, batched, agent, optimizers, curriculum, names=names, data=data, prior=prior)

    def to_dict(self) -> dict[str, Any]:
        """Plain types and tensors."""
        return {
            "recipe": self.recipe.to_dict(),
            "agent": agent_to_dict(self.agent),
            "optimizers": [optimizer.state_dict() for optimizer in self.optimizers],
            "curriculum": self.curriculum.to_dict(),
            "update": self.update,
            "best_error": self.best_error,
            "best_weights": self.best_weights,
            "stale": self.stale,
            "seconds": self.seconds,
            "processes": world_size(),
            "names": self.names,
            "data": self.data,
            "prior": self.prior and self.prior.digest,
        }

    def restore(self, values: dict[str, Any]) -> None:
        """Go on where `to_dict` was called.

        Raises:
            ValueError: where the environment has other names or data than the checkpoint, or the saliency prior is
                another.
        """
        if "optimizers" not in values:
            raise ValueError("the file holds weights alone, which cannot be resumed: give the folder of a training")
        if (known := names_in(values)) and known != self.names:
            raise ValueError(f"the training {differences(known, self.names)}; put the data back, or train anew")
        if (data := values.get("data", self.data))["digest"] != self.data["digest"]:
            raise ValueError(
                f"the data have changed since the training began: they came from {data['source']}, and now come from "
                f"{self.data['source']}; put them back, or train anew"
            )
        if values.get("prior") != (self.prior and self.prior.digest):
            raise ValueError(
                f"the saliency prior {self.recipe.saliency_prior} has changed since the training began: put the old "
                "one back"
            )
        self.agent.load_state_dict(values["agent"]["weights"])
        for optimizer, state in zip(self.optimizers, values["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.curriculum = Curriculum.from_dict(values["curriculum"], self.env.device)
        self.update, self.best_error = values["update"], values["best_error"]
        self.best_weights, self.seconds = values["best_weights"], values["seconds"]
        self.stale = values.get("stale", 0)  # older checkpoints have none

    def check_finite(self) -> None:
        """Refuse to go on, and to save, once a loss, a gradient or a weight is not finite. Waits for the device.

        Raises:
            ValueError: where one is not, saying what to try.
        """
        if all_finite(self.agent.parameters()) and (self.finite is None or bool(self.finite)):
            return
        raise ValueError(
            f"the training of {self.recipe.name} has diverged: a loss, gradient or weight is no longer finite after "
            f"{self.update:,} updates. The last good checkpoint is kept. Try a smaller --lr (it is {self.recipe.lr:g}) "
            f"or --max-grad-norm ({self.recipe.max_grad_norm:g}), and see that the observations and rewards are finite"
        )

    def remember_best(self, error: float) -> None:
        """Keep the present weights if their validation error is the least so far; the same again is no progress.

        Raises:
            ValueError: for an error that is no number.
        """
        if math.isnan(error):
            raise ValueError("the validation came to nan: see that the environment's rewards are finite")
        self.stale = 0 if error < self.best_error else self.stale + 1
        if error <= self.best_error:
            self.best_error, self.best_weights = error, agent_to_dict(self.agent)["weights"]

    @property
    def patience_ended(self) -> bool:
        """Whether the recipe's patience is at its end; known to the process that validates."""
        return 0 < self.recipe.patience <= self.stale

    def ends_with(self, error: float) -> bool:
        """Whether a validation that comes to `error` now is the last."""
        stale = self.stale + 1 if error >= self.best_error else 0
        return self.update == self.recipe.updates() or 0 < self.recipe.patience <= stale

    def best_agent(self, machine: str) -> dict[str, Any]:
        """The weight file's content: the agent of the least validation error, and how it came about on which
        machine."""
        saved = agent_to_dict(self.agent)
        return {
            "recipe": self.recipe.to_dict(),
            "agent": {**saved, "weights": self.best_weights or saved["weights"]},
            "names": self.names,
            "data": self.data,
            "training": {
                "episodes": self.update * self.recipe.batch,
                "seconds": round(self.seconds, 1),
                "machine": machine,
                "processes": world_size(),
                "validation_error": self.best_error,
            },
        }


def check(recipe: Recipe, env: BatchedEnv, agent: AttentionAgent, prior: Prior | None) -> None:
    """Refuse what would train on nothing, or on something else than was meant.

    Raises:
        ValueError: for such a recipe, saying what to do.
    """
    if recipe.estimator not in ESTIMATORS:
        raise ValueError(f"there is no estimator {recipe.estimator!r}; there are {', '.join(ESTIMATORS)}")
    places = [name for name, head in agent.heads.items() if head.policy]
    if recipe.answer_weights != "scored" and not env.metadata.get("interactive", True):
        raise ValueError(
            f'answer_weights="{recipe.answer_weights}" trains answers that are not scored, and this task has no right '
            'answer for them: use "scored"'
        )
    if prior is not None and (recipe.gaze != "learned" or "location" not in places):
        raise ValueError("--saliency-prior draws a gaze that is learned; this training has none")
    for gaze in (recipe.gaze, *(("oracle",) if recipe.led else ())):
        env.given_actions(gaze, recipe.seed, np.zeros(env.num_envs, np.int64))
    if recipe.led and recipe.gaze != "learned":
        raise ValueError(f"--led leads a gaze that is learned, and --gaze is {recipe.gaze}: leave one of them out")
    if recipe.answer_signal == "reward" and recipe.estimator == "gain":
        raise ValueError('estimator "gain" pays for right answers: answers that learn from reward need "reinforce"')
    known = "answer" in agent.heads and env.metadata.get("tells_target", True)
    if recipe.estimator == "gain" and places and recipe.gaze == "learned" and not known:
        raise ValueError('estimator "gain" needs the right answers: name them with --target, or use "reinforce"')


def train_update(trainer: Trainer) -> dict[str, Tensor]:
    """One batch of episodes, this process's share of it, and one step of the optimizers.

    Returns:
        What is worth logging, on the device.
    """
    recipe, agent, env = trainer.recipe, trainer.agent, trainer.env
    # What dropout draws is a function of the update, as all else is, so that a resumed training draws the same.
    torch.manual_seed(int(np.random.SeedSequence((recipe.seed, trainer.update, rank(), 1)).generate_state(1)[0]))
    set_learning_rate(recipe, trainer.optimizers, trainer.update)
    numbers = trainer.curriculum.episodes(recipe, env, trainer.update)
    given = env.given_actions(recipe.gaze, recipe.seed, numbers)
    parts = drawn_parts(agent, env, recipe.answer_signal, tuple(given))
    noise = exploration_noise(agent, env, parts, recipe.seed, trainer.update)
    std = recipe.deviation(trainer.update)
    led = None
    if recipe.led:
        given = env.given_actions("oracle", recipe.seed, numbers)
        led = torch.arange(env.num_envs, device=env.device) < recipe.led_rows(trainer.update, env.num_envs)
    steps = env.longest(recipe.seed, numbers)  # with `bucket_batches`, episodes of alike lengths are side by side
    trajectory = collect(agent, env, numbers, seed=recipe.seed, noise=noise, std=std, given=given, led=led, steps=steps)
    bonus = agreement = None
    if trainer.prior is not None:
        drawn_to, agreement = trainer.prior.at(trajectory)
        bonus = recipe.saliency_weight * torch.cat([drawn_to[1:], torch.zeros_like(drawn_to[:1])])
        bonus = bonus * following(trajectory.alive)
    cost = env.metadata.get("glimpse_cost", 0.0)
    if cost and recipe.estimator == "gain":  # which knows nothing of the reward that the cost is taken from
        paid = -cost * trajectory.alive.to(trajectory.reward.dtype)
        bonus = paid if bonus is None else bonus + paid
    loss, scalars = trajectory_loss(recipe, agent, trajectory, bonus)
    if agreement is not None:
        scalars["attention/saliency_agreement"] = agreement[1:].mean()
    if recipe.oversample > 1:
        trainer.curriculum.update(env, trajectory)
    agent.zero_grad()
    loss.backward()
    average_gradients(agent.parameters())
    norm = torch.nn.utils.clip_grad_norm_(agent.parameters(), recipe.max_grad_norm)
    scalars["train/grad_norm"] = norm
    finite = loss.detach().isfinite() & norm.isfinite()
    trainer.finite = finite if trainer.finite is None else trainer.finite & finite
    for optimizer in trainer.optimizers:
        optimizer.step()
    average_buffers(agent.buffers())
    trainer.update += 1
    return scalars


def share_of(recipe: Recipe) -> int:
    """Episodes of a batch that one process plays.

    Raises:
        ValueError: where the batch cannot be shared evenly.
    """
    if recipe.batch % world_size():
        raise ValueError(f"a batch of {recipe.batch} cannot be shared by {world_size()} processes; change --batch")
    return recipe.batch // world_size()
