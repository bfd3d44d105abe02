"""Where an agent looks, over many episodes: `python -m runs.heatmap CHECKPOINT --out FILE.png [--episodes 2000]`."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
import tyro

from agents import AttentionAgent
from agents.checkpoint import load_checked, write_atomically
from agents.loading import Agent, agent_from_dict
from glimpse_env.datasets import Split
from runs.drawing.encoding import encode_png
from runs.drawing.heat_pictures import heat_sheet
from runs.drawing.story_sheet import story_maps, story_sheet
from runs.environments import episodes_in, make_canvas_env, make_env, pick_device, sample_episodes
from runs.evaluate import TEST_SEED
from runs.guide import Guide, canvas_values, line_values, load_guide
from runs.recipe import Gaze, Recipe
from runs.recording.fixations import Fixations, heat_maps, record_fixations
from runs.recording.story_attention import StoryAttention, record_story_attention

BATCH = {"image": 250, "story": 250, "text": 100}
"""Episodes side by side, by the kind of what is observed: of a whole story, every step's attention is kept."""

SUFFIXES = (".png", ".npz", ".json")


def heatmap(
    checkpoint: str | Path,
    out: list[Path],
    *,
    episodes: int = 2000,
    split: Split = "test",
    gaze: Gaze | None = None,
    images: Path | None = None,
    guide: Path | None = None,
    device: str = "auto",
) -> dict[str, Any]:
    """Draw where an agent looks, glimpse by glimpse and class by class, and write the numbers behind the picture.

    Args:
        checkpoint: a weight file (`agent.pt`, `runs/pretrained/*.pt`) or a training's `checkpoint.pt`.
        out: files to write, each whole or not at all: a `.png` is drawn, an `.npz` or `.json` holds the numbers.
        episodes: how many, drawn from all of the split where that has more; of stories, no more than it has.
        split: "train", "validation", "test", or "all" of your own images.
        gaze: "learned", "random", "last" or "scan"; None is what the agent was trained with.
        images: the user's own canvases in place of the recipe's scenes.
        guide: a map of the user's own (`runs.guide`), with which the gaze's agreement is to be measured.
        device: "auto", "cpu", "cuda", …

    Returns:
        The numbers: `episodes`, `error` in percent, the fields of `HeatMaps` or `StoryMaps`, and the names of classes
        (and words); with a guide `guide_agreement`, the normalised scanpath saliency of the glimpses that were chosen.

    Raises:
        FileNotFoundError: where there is no such checkpoint, guide, or images.
        ValueError: for another suffix, no episodes, a damaged checkpoint, images or a guide that do not fit it, or an
            agent that looks at neither images nor stories.
    """
    for path in out:
        if path.suffix.lower() not in SUFFIXES:
            raise ValueError(f"{path}: the name must end in .png (a picture), .npz or .json (the numbers)")
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    where = pick_device(device)
    values = load_checked(checkpoint, where)
    recipe = Recipe.from_dict(values.get("recipe", {}))
    agent = agent_from_dict(values, checkpoint).to(where)
    if images is not None and agent.form.kind != "image":
        raise ValueError(f"--images are for agents that look at images, not for {recipe.name}")
    if recipe.env.foreign():
        raise ValueError(f"heat maps are drawn over Glimpse's own images and stories, not {recipe.env.id}")
    batch = min(episodes, BATCH.get(agent.form.kind, 1))
    if images is not None:
        env, source = make_canvas_env(recipe, agent, images, batch, where), images.name
    else:
        env = make_env(recipe, split, batch, where, **(values.get("words") or {}))
        source = f"{recipe.env.id}, {split} split"
    own = None if guide is None else load_guide(guide, env, where)
    picture, numbers = heat(
        agent, env, episodes, f"Glimpse · {recipe.name}", source, gaze=gaze or recipe.gaze, guide=own
    )
    for path in out:
        write_atomically(encode(picture, numbers, path.suffix.lower()), path)
    return numbers


def heat(
    agent: Agent,
    env: Any,
    episodes: int,
    title: str,
    source: str,
    *,
    gaze: str = "learned",
    seed: int = TEST_SEED,
    guide: Guide | None = None,
) -> tuple[np.ndarray, dict[str, Any]]:
    """The picture of `heatmap` and its numbers, for an agent at hand: what a training can log at its end.

    Args:
        agent: of images or of bAbI's stories.
        env: of its kind, as `runs.environments.make_env` makes it.
        episodes: how many.
        title: of the picture.
        source: what the episodes are, for the line below it.
        gaze: "learned", "random", "last" or "scan".
        seed: of the environment.
        guide: with which the gaze's agreement is to be measured.

    Returns:
        (height, width, 3) uint8 RGB, and plain numbers and arrays by name.

    Raises:
        ValueError: for an agent that looks at neither images nor stories, or all at once.
    """
    if agent.form.kind != "image":
        assert isinstance(agent, AttentionAgent)
        attention = record_story_attention(
            agent, env, sample_episodes(episodes, episodes_in(env)), gaze=gaze, seed=seed
        )
        of_stories = story_maps(attention)
        numbers = {**_told(attention, guide), **of_stories._asdict(), "vocabulary": attention.vocabulary}
        how = f"{gaze} gaze" if agent.form.motion else f"{agent.config.memory} memory, last recall"
        return story_sheet(attention, of_stories, title, _line(source, how, numbers)), numbers
    if env.metadata["horizon"] == 1:
        raise ValueError("this agent sees the whole image in a single glimpse: it has no gaze to draw")
    fixations = record_fixations(
        agent, env, sample_episodes(episodes, episodes_in(env), more=True), gaze=gaze, seed=seed
    )
    maps = heat_maps(fixations)
    numbers = {**maps._asdict(), "episodes_by_class": maps.episodes, "classes": fixations.names}
    numbers |= _told(fixations, guide)
    return heat_sheet(fixations, maps, title, _line(source, f"{gaze} gaze", numbers)), numbers


def agreement(guide: Guide, seen: Fixations | StoryAttention) -> float:
    """Normalised scanpath saliency of the glimpses that the agent chose: see `runs.guide`."""
    if isinstance(seen, Fixations):
        path = torch.from_numpy(seen.path[:, seen.chosen :]).transpose(0, 1).to(guide.values)
        return float(canvas_values(guide.values, path)[1].mean())
    tokens = torch.from_numpy(seen.tokens).to(guide.values.device)
    looked = torch.from_numpy(seen.weights[:, seen.chosen :].argmax(-1)).T.to(tokens.device)
    return float(line_values(guide.lines(tokens), tokens.any(-1), looked)[1].mean())


def _told(seen: Fixations | StoryAttention, guide: Guide | None) -> dict[str, Any]:
    told = {"episodes": len(seen.correct), "error": 100 * float(1 - seen.correct.mean())}
    return told if guide is None else {**told, "guide_agreement": agreement(guide, seen)}


def _line(source: str, how: str, numbers: dict[str, Any]) -> str:
    parts = [source, f"{numbers['episodes']:,} episodes", how, f"{numbers['error']:.1f} % answered wrong"]
    if "guide_agreement" in numbers:
        parts.append(f"agreement with the guide {numbers['guide_agreement']:.2f}")
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


def main(
    checkpoint: tyro.conf.Positional[Path],
    /,
    out: list[Path],
    episodes: int = 2000,
    split: Split = "test",
    gaze: Gaze | None = None,
    images: Path | None = None,
    guide: Path | None = None,
    device: str = "auto",
) -> None:
    """Draw where a trained agent looks, over many episodes: by glimpse, by class, on the canvas and on the target.

    For stories: along the lines, around those that the answer rests on, and over the words.

    Args:
        checkpoint: A weight file, or a training's checkpoint.
        out: Files to write: a .png is drawn, an .npz or .json holds the numbers.
        episodes: How many.
        split: train, validation, test, or all of your own images.
        gaze: learned, random or last; as the agent was trained.
        images: Your own canvases in place of generated scenes: an .npz file with images and labels, or a folder.
        guide: A map of your own, as runs.train takes it: how far the gaze agrees with it is measured.
        device: auto, cpu, cuda, …
    """
    try:
        numbers = heatmap(
            checkpoint, out, episodes=episodes, split=split, gaze=gaze, images=images, guide=guide, device=device
        )
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    print(f"{', '.join(map(str, out))}: {numbers['episodes']:,} episodes, {numbers['error']:.2f} % answered wrong")
    if "guide_agreement" in numbers:
        print(f"agreement with the guide (normalised scanpath saliency, 0 is chance): {numbers['guide_agreement']:.3f}")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    tyro.cli(main)
