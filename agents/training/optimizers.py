"""The optimizers of a training, and their learning rate."""

from __future__ import annotations

import math
from typing import Any

import torch

from agents.training.muon import Muon, matrices
from agents.training.recipe import Recipe

WARM_UP = 50
"""Updates over which the learning rate rises."""


def make_optimizers(recipe: Recipe, agent: Any) -> list[torch.optim.Optimizer]:
    """One optimizer for each parameter of the agent; policies have a learning rate of their own.

    Raises:
        ValueError: for Muon and an agent without hidden matrices.
    """
    policy = agent.policy_parameters()
    hidden = matrices(agent) if recipe.optimizer == "muon" else []
    if recipe.optimizer == "muon" and not hidden:
        raise ValueError("--optimizer muon is for hidden matrices, of which this agent has none: use adam")
    own = {id(parameter) for parameter in [*policy, *hidden]}
    groups: list[dict[str, Any]] = [{"params": [p for p in agent.parameters() if id(p) not in own], "scale": 1.0}]
    if policy:
        groups.append({"params": policy, "scale": recipe.gaze_lr})
    if recipe.optimizer == "sgd":
        return [torch.optim.SGD(groups, recipe.lr, momentum=0.9)]
    decay = recipe.weight_decay
    adam = torch.optim.AdamW(groups, recipe.lr, betas=(0.9, 0.99), weight_decay=decay, fused=True)
    return [adam, Muon([{"params": hidden, "scale": 1.0}], recipe.lr, decay)] if hidden else [adam]


def set_learning_rate(recipe: Recipe, optimizers: list[torch.optim.Optimizer], update: int) -> None:
    """Give every group of parameters its learning rate of this update."""
    rate = learning_rate(recipe, update)
    for optimizer in optimizers:
        for group in optimizer.param_groups:
            group["lr"] = rate * group["scale"]


def learning_rate(recipe: Recipe, update: int) -> float:
    """Rises over `WARM_UP` updates and falls to zero along a cosine."""
    progress = update / recipe.updates()
    return recipe.lr * min(1.0, (update + 1) / WARM_UP) * 0.5 * (1 + math.cos(math.pi * progress))
