"""A trained agent of a file, and the episodes to draw it in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from agents.agent import AttentionAgent
from agents.evaluation import evaluate
from agents.loading import agent_from_dict
from agents.names import names_in
from agents.training.checkpoint import load_checked
from agents.training.recipe import Recipe
from runs.environments import episodes_in, make_canvas_env, make_env, pick_device, task_name
from runs.traces.trace import Trace

COUNTED = 1_000
"""Episodes for the error in a picture's subtitle, at most."""

ROWS = 250
"""Of these, side by side."""


class Subject(NamedTuple):
    """An agent, its recipe, what makes an environment of so many rows, and what the episodes are, in words."""

    agent: AttentionAgent
    recipe: Recipe
    make_env: Callable[[int], Any]
    source: str


def load_subject(checkpoint: str | Path, split: str, images: Path | None, device: str) -> Subject:
    """The agent of a weight file or checkpoint, and environments that suit it, of a split or of the user's own images.

    Raises:
        FileNotFoundError: where there is no such checkpoint.
        ValueError: for a damaged one, or one of somebody else's environment.
    """
    where = pick_device(device)
    values = load_checked(checkpoint)
    names = names_in(values)
    recipe = Recipe.from_dict(values.get("recipe", {}))
    agent = agent_from_dict(values, checkpoint).to(where)
    if task_name(recipe.env.id) is None:
        raise ValueError(f"{recipe.env.id} draws its own pictures (render_mode): these are for Glimpse's environments")

    def environment(rows: int) -> Any:
        if images is not None:
            return make_canvas_env(recipe, agent, names, images, rows, where)
        return make_env(recipe, split, rows, where, training=False, **names)

    source = images.name if images is not None else f"{recipe.env.id}, {split} split"
    return Subject(agent, recipe, environment, source)


def describe(subject: Subject, trace: Trace, gaze: str, seed: int) -> str:
    """What is drawn, in a line: the episodes, the gaze and its glimpses and error, or the memory."""
    parts = [subject.source]
    if trace.retina is None:
        looks, memory = trace.path is not None, subject.agent.config.memory
        parts += [f"{gaze} gaze"] * looks
        parts += [f"{memory} memory"] * (memory != "none" or not looks)
        return "  ·  ".join(parts)
    (height, width), scales, steps = trace.retina.patch, trace.retina.scales, len(trace.seen)
    glimpses = f"{steps} glimpse{'s' * (steps > 1)} of {height}×{width}"
    glimpses += f" at {scales} scales" if scales > 1 else ""
    env = subject.make_env(ROWS)
    counted = min(COUNTED, episodes_in(env))
    error = evaluate(subject.agent, env, counted, seed=seed, gaze=gaze).error
    return "  ·  ".join([*parts, f"{gaze} gaze", glimpses, f"error {error:.1f} % in {counted:,} scenes"])
