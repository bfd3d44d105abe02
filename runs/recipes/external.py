"""Other people's environments."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from agents import AgentConfig
from agents.training.recipe import EnvConfig, Recipe

JOIN = Recipe(
    "join",
    EnvConfig("MODULE:ID"),
    AgentConfig(width=128, ignore=("location",)),
    episodes=100_000,
    batch=64,
    estimator="reinforce",
    discount=0.9,
    answer_weights="all",
    std=0.7,
    gaze_lr=1.0,
    max_grad_norm=1.0,
)
"""Anybody's environment; `runs.train --env ID` begins with it."""


def ap_gym(name: str, id: str, episodes: int, gaze: str = "learned", **changes: Any) -> Recipe:
    """An environment of Schneider et al. 2026 (`pip install ap_gym`)."""
    env = EnvConfig(f"ap_gym:{id}", move="action", predict="prediction", target="prediction.target")
    return replace(JOIN, name=name, env=env, episodes=episodes, gaze=gaze, **changes)


EXTERNAL_RECIPES = (
    JOIN,
    ap_gym("circle-square", "CircleSquare-v0", 64_000, estimator="gain"),
    ap_gym("circle-square-random", "CircleSquare-v0", 64_000, "random", estimator="gain"),
    ap_gym("hide-and-seek", "CircleSquareHideAndSeek-v0", 32_000),
    ap_gym("hide-and-seek-random", "CircleSquareHideAndSeek-v0", 32_000, "random"),
)
