"""Watch a trained agent: `python -m runs.watch CHECKPOINT --out FILE.png|.apng [--episodes 4] [--gaze random]`.

Or one in training: `python -m runs.watch runs/logs/<run> --live`.
"""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path

import numpy as np
import torch
import tyro

from agents import AttentionAgent, evaluate
from agents.checkpoint import load_checked, write_atomically
from agents.loading import agent_from_dict
from glimpse_env.datasets import Split
from runs.drawing.contact_sheet import animation, contact_sheet
from runs.drawing.encoding import encode_png
from runs.drawing.memory_pictures import memory_sheet
from runs.environments import make_canvas_env, make_env, pick_device
from runs.evaluate import TEST_SEED
from runs.live import PORT
from runs.live import live as serve_latest
from runs.places import fixed_gaze
from runs.recipe import Gaze, Recipe
from runs.recording.recollections import Recollection, recollect
from runs.recording.traces import Trace, record_episodes

COUNTED = 1_000
"""Episodes for the error in a picture's subtitle, at most."""


def watch(
    checkpoint: str | Path,
    out: str | Path,
    *,
    episodes: int = 4,
    first: int = 0,
    split: Split = "test",
    device: str = "auto",
    gaze: Gaze | None = None,
    images: Path | None = None,
) -> list[Trace] | list[Recollection]:
    """Draw what an agent saw, where, and what it believed, glimpse by glimpse.

    Args:
        checkpoint: a weight file (`agent.pt`, `runs/pretrained/*.pt`) or a training's `checkpoint.pt`.
        out: a `.png` becomes a contact sheet, an `.apng` an animation. Written whole or not at all.
        episodes: how many to draw.
        first: the number of the first, of those that `runs.evaluate` counts.
        split: "train", "validation", "test", or "all" of your own images.
        device: "auto", "cpu", "cuda", …
        gaze: "learned" or "random"; None is what the agent was trained with.
        images: the user's own canvases in place of the recipe's scenes.

    Returns:
        What was drawn.

    Raises:
        FileNotFoundError: where there is no such checkpoint, or no such images.
        ValueError: for another suffix, no episodes, a damaged checkpoint, or images that do not fit it.
    """
    out = Path(out)
    if out.suffix.lower() not in (".png", ".apng"):
        raise ValueError(f"{out}: the name must end in .png (a contact sheet) or .apng (an animation)")
    if episodes < 1 or first < 0:
        raise ValueError(f"episodes must be at least 1 and first at least 0, got {episodes} and {first}")
    where = pick_device(device)
    values = load_checked(checkpoint, where)
    recipe = Recipe.from_dict(values.get("recipe", {}))
    agent = agent_from_dict(values, Path(checkpoint)).to(where).eval()
    if recipe.env.foreign():
        raise ValueError(f"{recipe.env.id} draws its own pictures (render_mode): runs.watch is for Glimpse's")
    gaze = gaze or recipe.gaze
    if isinstance(agent, AttentionAgent) and agent.form.kind != "image":
        if out.suffix.lower() != ".png" or images is not None:
            raise ValueError("a memory is drawn as a .png, of the task's own episodes: no --images, no .apng")
        changed = values.get("words") or {}
        env = make_env(recipe, split, 1, where, **changed)
        fixed = agent.form.motion and gaze != "learned"
        places = fixed_gaze(gaze, TEST_SEED, env, where) if fixed else None
        memories = [recollect(agent, env, number, TEST_SEED, places) for number in range(first, first + episodes)]
        subtitle = f"{recipe.env.id}  ·  {split} split  ·  {recipe.agent.memory} memory"  # type: ignore[union-attr]
        write_atomically(encode_png(memory_sheet(memories, f"Glimpse · {recipe.name}", subtitle)), out)
        return memories

    def environment(batch: int):
        if images is not None:
            return make_canvas_env(recipe, agent, images, batch, where)
        return make_env(recipe, split, batch, where)

    numbers = np.arange(first, first + episodes)
    traces = record_episodes(agent, environment(episodes), numbers, gaze=gaze, seed=TEST_SEED)
    env = environment(250)
    counted = min(COUNTED, len(env.unwrapped.task.labels))
    error = evaluate(
        agent,
        env,
        counted,
        places=None if gaze == "learned" else fixed_gaze(gaze, TEST_SEED, env, where),
        seed=TEST_SEED,
    ).error
    source = f"{images.name}" if images is not None else f"{recipe.env.id}, {split} split"
    title = f"Glimpse · {recipe.name}"
    subtitle = "  ·  ".join([source, f"{gaze} gaze", describe(traces[0]), f"error {error:.1f} % in {counted:,} scenes"])
    draw = animation if out.suffix.lower() == ".apng" else sheet
    write_atomically(draw(traces, title, subtitle), out)
    return traces


def sheet(traces: list[Trace], title: str, subtitle: str) -> bytes:
    """A contact sheet as PNG."""
    return encode_png(contact_sheet(traces, title, subtitle))


def describe(trace: Trace) -> str:
    """The glimpses of an episode in words."""
    (height, width), scales, steps = trace.retina.patch, trace.retina.scales, len(trace.path)
    glimpses = f"{steps} glimpse{'s' * (steps > 1)} of {height}×{width}"
    return glimpses + (f" at {scales} scales" if scales > 1 else "")


def main(
    checkpoint: tyro.conf.Positional[Path],
    /,
    out: Path | None = None,
    episodes: int = 4,
    first: int = 0,
    split: Split | None = None,
    device: str = "auto",
    gaze: Gaze | None = None,
    images: Path | None = None,
    live: bool = False,
    port: int = PORT,
) -> None:
    """Draw what a trained agent saw, where, and what it believed, glimpse by glimpse.

    Args:
        checkpoint: A weight file, or a training's checkpoint; to watch a training live, its folder.
        out: A .png becomes a contact sheet, an .apng an animation.
        episodes: How many to draw.
        first: Number of the first, of those that runs.evaluate counts.
        split: train, validation, test, or all of your own images; test, and validation where it is watched live.
        device: auto, cpu, cuda, …
        gaze: learned or random; as the agent was trained.
        images: Your own canvases in place of generated scenes: an .npz file with images and labels, or a folder.
        live: Show a training's latest trace in a browser page that refreshes itself, until Ctrl-C.
        port: Of that page, on this machine.
    """
    split = split or ("validation" if live else "test")
    draw = partial(watch, episodes=episodes, first=first, split=split, device=device, gaze=gaze, images=images)
    try:
        if live:
            serve_latest(checkpoint, draw, port=port)
            return
        if out is None:
            raise ValueError("say where to draw, --out gaze.png, or watch a training as it goes, --live")
        traces = draw(checkpoint, out)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    right = sum(trace.correct for trace in traces)
    print(f"{out}: {len(traces)} episodes, {right} answered right")


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    tyro.cli(main)
