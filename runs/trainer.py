"""A training in progress: one update, and the state that a checkpoint holds."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from agents import AgentConfig, AttentionAgent, Foreign, play, read
from agents.imagining import ImaginingAgent
from agents.loading import Agent, agent_to_dict, copy_weights, make_agent
from glimpse_env.tasks.babi import BabiTask
from runs.curriculum import Curriculum
from runs.distributed import average_gradients, rank, world_size
from runs.foreign import foreign_loss
from runs.guide import Guide, load_guide
from runs.machine import machine_name
from runs.muon import Muon, matrices
from runs.objective import answer_loss, total_loss
from runs.places import fixed_places, gaze_noise, told_lines
from runs.recipe import Recipe

WARM_UP = 50
"""Updates over which the learning rate rises."""


@dataclass
class Trainer:
    """All that changes in a training, and so all that a checkpoint needs to go on exactly.

    Scenes and gaze noise are functions of (seed, episode number): the number of updates stands for both.
    """

    recipe: Recipe
    agent: Agent
    optimizers: list[torch.optim.Optimizer]
    curriculum: Curriculum
    update: int = 0
    best_error: float = math.inf
    best_weights: dict[str, Tensor] | None = None
    seconds: float = 0.0
    words: dict[str, list[str]] | None = None
    """The words and answers that a reader's numbers stand for."""
    guide: Guide | None = None
    """What draws the gaze beside the reward."""

    @staticmethod
    def begin(recipe: Recipe, env: Any, device: torch.device, *, restored: bool = False) -> Trainer:
        """A training at its start; one to be `restored` needs no weights to begin with."""
        torch.manual_seed(recipe.seed)
        if recipe.learn == "reward" and "location" in env.single_action_space.spaces:
            raise ValueError('learn="reward" is for episodes that are read: a gaze learns from reward anyway')
        if isinstance(recipe.agent, AgentConfig) and recipe.agent.imagine and recipe.answers != "last":
            raise ValueError("a map is read with gradient at the end alone: --imagine needs --answers last")
        if recipe.guide and recipe.gaze != "learned":
            raise ValueError(f"--guide draws a gaze that learns, not one that is {recipe.gaze}")
        guide = load_guide(recipe.guide, env, device) if recipe.guide else None
        agent = make_agent(env.single_observation_space, env.single_action_space, recipe.agent)
        task = getattr(env.unwrapped, "task", None)
        words = None
        if isinstance(task, BabiTask):
            words = {"vocabulary": list(task.vocabulary.words), "answers": list(task.answers)}
        if recipe.begin and not restored:
            copy_weights(agent, recipe.begin, words)
        agent = agent.to(device)
        if isinstance(agent, ImaginingAgent) and not (recipe.begin or restored):
            agent.sense.learn(told_lines(env, recipe.seed, device))
        gaze = agent.gaze_parameters()
        hidden = matrices(agent) if recipe.optimizer == "muon" and isinstance(agent, AttentionAgent) else []
        if recipe.optimizer == "muon" and not hidden:
            raise ValueError("--optimizer muon is for hidden matrices, of which this agent has none: use adam")
        own = {id(parameter) for parameter in [*gaze, *hidden]}
        groups: list[dict[str, Any]] = [{"params": [p for p in agent.parameters() if id(p) not in own], "scale": 1.0}]
        if gaze:
            groups.append({"params": gaze, "scale": recipe.gaze_lr})
        optimizers: list[torch.optim.Optimizer]
        if recipe.optimizer == "sgd":
            optimizers = [torch.optim.SGD(groups, recipe.lr, momentum=0.9)]
        else:
            decay = recipe.weight_decay
            optimizers = [torch.optim.AdamW(groups, recipe.lr, betas=(0.9, 0.99), weight_decay=decay, fused=True)]
            if hidden:
                optimizers.append(Muon([{"params": hidden, "scale": 1.0}], recipe.lr, decay))
        return Trainer(recipe, agent, optimizers, Curriculum.begin(recipe, env), words=words, guide=guide)

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
            "seconds": self.seconds,
            "processes": world_size(),
            "words": self.words,
            "guide": self.guide and self.guide.digest,
        }

    def restore(self, values: dict[str, Any]) -> None:
        """Go on where `to_dict` was called.

        Raises:
            ValueError: where the environment has other words than the checkpoint, or the guide is another.
        """
        if "optimizers" not in values:
            raise ValueError("the checkpoint is of an earlier version, which cannot be resumed: train in a new folder")
        if values.get("words") != self.words:
            raise ValueError("the stories found now have other words than those trained on: set GLIMPSE_DATA as it was")
        if values.get("guide") != (self.guide and self.guide.digest):
            raise ValueError(
                f"the guide {self.recipe.guide} has changed since the training began: put the old one back"
            )
        self.agent.load_state_dict(values["agent"]["weights"])
        for optimizer, state in zip(self.optimizers, values["optimizers"], strict=True):
            optimizer.load_state_dict(state)
        self.curriculum = Curriculum.from_dict(values["curriculum"])
        self.update, self.best_error = values["update"], values["best_error"]
        self.best_weights, self.seconds = values["best_weights"], values["seconds"]

    def remember_best(self, error: float) -> None:
        """Keep the present weights if their validation error is the least so far."""
        if error <= self.best_error:
            self.best_error, self.best_weights = error, agent_to_dict(self.agent)["weights"]

    def best_agent(self) -> dict[str, Any]:
        """The weight file's content: the agent of the least validation error, and how it came about."""
        saved = agent_to_dict(self.agent)
        device = next(self.agent.parameters()).device
        return {
            "recipe": self.recipe.to_dict(),
            "agent": {**saved, "weights": self.best_weights or saved["weights"]},
            "words": self.words,
            "training": {
                "episodes": self.update * self.recipe.batch,
                "seconds": round(self.seconds, 1),
                "machine": machine_name(device),
                "processes": world_size(),
                "validation_error": self.best_error,
            },
        }


def learning_rate(recipe: Recipe, update: int) -> float:
    """Rises over `WARM_UP` updates and falls to zero along a cosine."""
    progress = update / recipe.updates()
    return recipe.lr * min(1.0, (update + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))


def train_update(trainer: Trainer, env: Any, device: torch.device) -> dict[str, Tensor]:
    """One batch of episodes, this process's share of it, and one step of the optimizer.

    Returns:
        What is worth logging, on the device.
    """
    recipe, agent = trainer.recipe, trainer.agent
    # What dropout draws is a function of the update, as all else is, so that a resumed training draws the same.
    torch.manual_seed(int(np.random.SeedSequence((recipe.seed, trainer.update, rank(), 1)).generate_state(1)[0]))
    rate = learning_rate(recipe, trainer.update)
    for optimizer in trainer.optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]
    numbers = trainer.curriculum.episodes(recipe, env, trainer.update)
    if isinstance(env, Foreign):
        assert isinstance(agent, AttentionAgent)
        loss, scalars = foreign_loss(recipe, agent, env, numbers, device)
    elif isinstance(agent, AttentionAgent) and not agent.form.motion:
        reading = read(agent, env, numbers, seed=recipe.seed)
        generator = torch.Generator().manual_seed(recipe.seed * 2**32 + trainer.update * world_size() + rank())
        loss, scalars = answer_loss(recipe, reading, generator)
        scalars["rollout/success_rate"] = reading.right().float().mean()
        if recipe.choose > 1:
            trainer.curriculum.learn(reading)
    else:
        loss, scalars = played_loss(trainer, env, numbers, device)
    agent.zero_grad()
    loss.backward()
    average_gradients(agent.parameters())
    scalars["train/grad_norm"] = torch.nn.utils.clip_grad_norm_(agent.parameters(), recipe.clip)
    for optimizer in trainer.optimizers:
        optimizer.step()
    trainer.update += 1
    return scalars


def played_loss(
    trainer: Trainer, env: Any, numbers: np.ndarray, device: torch.device
) -> tuple[Tensor, dict[str, Tensor]]:
    """Play these episodes and form their loss."""
    recipe, steps = trainer.recipe, env.metadata["horizon"] - 1
    motion = trainer.agent.form.motion
    noise = places = None
    if recipe.gaze != "learned":
        places = fixed_places(recipe.gaze, recipe.seed, env, numbers, device)
    elif steps:
        noise = gaze_noise(recipe.seed, numbers, steps, device, motion)
    std = recipe.deviation(trainer.update) if steps else 0.0
    rollout = play(trainer.agent, env, numbers, seed=recipe.seed, std=std, noise=noise, places=places)
    guided = score = None
    if trainer.guide is not None:
        guided, score = trainer.guide.at(env, numbers, recipe.seed, rollout.location[1:])
    loss, scalars = total_loss(recipe, rollout, guided)
    if score is not None:
        scalars["attention/guide_agreement"] = score.mean()
    scalars["rollout/success_rate"] = (rollout.answer[-1].argmax(-1) == rollout.target).float().mean()
    return loss, scalars


def share_of(recipe: Recipe) -> int:
    """Episodes of a batch that one process plays.

    Raises:
        ValueError: where the batch cannot be shared evenly.
    """
    if recipe.batch % world_size():
        raise ValueError(f"a batch of {recipe.batch} cannot be shared by {world_size()} processes; change --batch")
    return recipe.batch // world_size()
