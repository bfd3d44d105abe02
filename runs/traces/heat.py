"""Where an agent attends, over many episodes: the picture and the numbers, of images, of walks or of stories."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from typing import Any

import numpy as np
import torch

from agents.evaluation import play
from runs.environments import episodes_in, sample_episodes
from runs.saliency_prior import SaliencyPrior
from runs.traces.encoding import encode_png
from runs.traces.fixations import fixations_of, heat_maps
from runs.traces.heat_pictures import heat_sheet
from runs.traces.recall import recalled_of, recalls_are_known
from runs.traces.recall_maps import recall_maps, recall_sheet
from runs.traces.story_attention import attention_of, story_maps
from runs.traces.story_sheet import story_sheet

SUFFIXES = (".png", ".npz", ".json")
"""Of the files that `encode` makes."""


Kind = tuple[Callable[..., Any], Callable[..., Any], Callable[..., np.ndarray]]
"""How attention is kept and drawn, each from the environment on: a batch as a named tuple of arrays (N, …), `correct`
among them; means over all episodes; and the picture."""

IMAGES: Kind = (fixations_of, heat_maps, heat_sheet)
WALKS: Kind = (recalled_of, recall_maps, recall_sheet)
STORIES: Kind = (attention_of, story_maps, story_sheet)


def heat(
    agent: Any,
    env: Any,
    episodes: int,
    title: str,
    source: str,
    *,
    gaze: str = "learned",
    seed: int = 0,
    prior: SaliencyPrior | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """Heat maps of an agent of images, of walks that it recalls, or of stories.

    Args:
        agent: with its weights.
        env: from `runs.environments`.
        episodes: how many, drawn from all there are; of stories, no more than there are.
        title: of the picture.
        source: what the episodes are, for the line below it.
        gaze: "learned", or a scripted one of the environment's.
        seed: of the environment.
        prior: with which the gaze's agreement is measured.

    Returns:
        (height, width, 3) uint8 RGB; and `episodes`, `error` in percent, the fields of `HeatMaps`, `RecallMaps` or
        `StoryMaps`, and with a prior `saliency_agreement`, the normalised scanpath saliency of the fixations that were
        chosen.

    Raises:
        ValueError: for no episodes, an unknown gaze, an environment of neither images nor walks nor stories, an agent
            that sees all at once, a walk without a memory, or a memory that cannot be drawn.
    """
    task = env.unwrapped.task
    images, walks = task.image_size is not None, recalls_are_known(agent, task) and task.schedule.shown[-1] > 1
    record_of, maps_of, draw = WALKS if walks else IMAGES if images else STORIES
    if (images or walks) and env.metadata["horizon"] == 1:
        raise ValueError("this agent sees the whole image in a single glimpse: it has no gaze to draw")
    looks = agent.spec.named("place") is not None
    chosen = sample_episodes(episodes, episodes_in(env), more=images)
    if not looks:  # short stories first: all of a batch are as long as the longest
        chosen = chosen[np.argsort(env.unwrapped.lengths(seed, chosen), kind="stable")]
    batches, agreement = [], []
    for trajectory, kept in play(agent, env, chosen, seed=seed, gaze=gaze, watch=walks or not looks):
        record = record_of(env, seed, trajectory)
        batches.append(type(record)(*(values[:kept] for values in record)))
        if prior is not None:
            agreement.append(prior.at(trajectory)[1][1:, :kept])
    record = joined(batches)
    maps = maps_of(env, record)
    measured: dict[str, Any] = {"episodes": len(chosen), "error": 100 * float(1 - record.correct.mean())}
    if prior is not None:
        measured["saliency_agreement"] = float(torch.cat(agreement, 1).mean())
    how = f"{gaze} gaze" if looks and not walks else f"{agent.config.memory} memory, last recall"
    picture = draw(env, record, maps, title, subtitle(source, how, measured))
    return picture, {**maps._asdict(), **measured}


def joined(batches: list[Any]) -> Any:
    """Named tuples of arrays (N, …), one after the other."""
    return type(batches[0])(*map(np.concatenate, zip(*batches, strict=True)))


def subtitle(source: str, how: str, measured: dict[str, Any]) -> str:
    """What was measured, in a line."""
    parts = [source, f"{measured['episodes']:,} episodes", how, f"{measured['error']:.1f} % answered wrong"]
    if "saliency_agreement" in measured:
        parts.append(f"agreement with the saliency prior {measured['saliency_agreement']:.2f}")
    return "  ·  ".join(parts)


def encode(picture: np.ndarray, numbers: dict[str, Any], suffix: str) -> bytes:
    """The content of a file: ".png", ".npz" or ".json"."""
    if suffix == ".png":
        return encode_png(picture)
    if suffix == ".json":
        plain = {key: value.tolist() if isinstance(value, np.ndarray) else value for key, value in numbers.items()}
        return (json.dumps(plain) + "\n").encode()
    buffer = io.BytesIO()
    arrays: dict[str, Any] = {key: np.asarray(value) for key, value in numbers.items()}
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()
