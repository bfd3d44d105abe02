"""The error of a trained agent: `python -m runs.evaluate CHECKPOINT [--episodes N] [--images FILE.npz] [--json]`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import tyro

from agents import evaluate
from agents.checkpoint import load_checked
from agents.loading import agent_from_dict
from runs.draws import random_gaze
from runs.environments import make_canvas_env, make_env, pick_device
from runs.recipes import RECIPES, Recipe

TEST_SEED = 2**41
"""Seed of the test scenes. With 10,000 episodes each test image is shown once, in a scene of its own."""

BATCH = 500


def evaluate_checkpoint(
    checkpoint: Path, *, episodes: int | None = None, images: Path | None = None, device: str = "auto"
) -> dict[str, Any]:
    """What `python -m runs.evaluate` reports.

    Args:
        checkpoint: a weight file (`agent.pt`, `runs/pretrained/*.pt`) or a training's `checkpoint.pt`.
        episodes: how many; None is 10,000, or every image of `images` once.
        images: the user's own canvases (`.npz` with `images` and `labels`, or a folder of class folders) in place of
            the recipe's test scenes.
        device: "auto", "cpu", "cuda", …

    Returns:
        `recipe`, `env_id`, `episodes`, `glimpses`; in percent of wrong answers `error` (gaze at the policy's mean, or
        at random places where the recipe trained for them), `error_random_gaze` and `error_by_glimpse`; `seconds`.

    Raises:
        FileNotFoundError: where there is no such checkpoint, or no such images.
        ValueError: for a damaged checkpoint, or images that do not fit it.
    """
    began, where = time.monotonic(), pick_device(device)
    values = load_checked(checkpoint, where)
    recipe = Recipe.from_dict(values.get("recipe", {}))
    agent = agent_from_dict(values, checkpoint).to(where)
    if images is None:
        env, env_id, known = make_env(recipe, "test", BATCH, where), f"Glimpse/{recipe.env.id}", 10_000
    else:
        env, env_id = make_canvas_env(recipe, agent, images, BATCH, where), "Glimpse/Classify-v0"
        known = len(env.unwrapped.task.labels)
    episodes = known if episodes is None else episodes
    chance = evaluate(agent, env, episodes, places=random_gaze(TEST_SEED, env, where), seed=TEST_SEED)
    chosen = recipe.gaze == "learned" and env.metadata["horizon"] > 1  # else there is no gaze of its own to play
    result = evaluate(agent, env, episodes, seed=TEST_SEED) if chosen else chance
    return {
        "recipe": recipe.name,
        "env_id": env_id,
        "episodes": episodes,
        "glimpses": env.metadata["horizon"],
        "error": result.error,
        "error_random_gaze": chance.error,
        "error_by_glimpse": result.error_by_glimpse,
        "seconds": round(time.monotonic() - began, 2),
    }


def main(
    checkpoint: tyro.conf.Positional[Path],
    /,
    episodes: int | None = None,
    images: Path | None = None,
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a trained agent on the test split, with learned and with random gaze.

    Args:
        checkpoint: A weight file, or a training's checkpoint.
        episodes: How many; 10,000, or each of the images once.
        images: Your own canvases in place of generated scenes: an .npz file with images and labels, or a folder.
        device: auto, cpu, cuda, …
        json: Print one JSON object and nothing else.
    """
    try:
        report = evaluate_checkpoint(checkpoint, episodes=episodes, images=images, device=device)
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    print_report(report, as_json=json)


def print_report(report: dict[str, Any], *, as_json: bool) -> None:
    """One JSON object, or a table to read."""
    if as_json:
        print(json.dumps(report))
        return
    print(f"{report['recipe']} on {report['env_id']}, {report['episodes']:,} episodes, {report['seconds']} s\n")
    print("  glimpses   error %")
    for glimpse, error in enumerate(report["error_by_glimpse"], 1):
        print(f"  {glimpse:>8}   {error:7.2f}")
    for name, error in gaze_errors(report):
        print(f"\n  {name:<12} {error:7.2f} %", end="")
    print()


def gaze_errors(report: dict[str, Any]) -> list[tuple[str, float]]:
    """What there is to tell of the gaze: nothing, for an agent that sees all at once."""
    if report["glimpses"] == 1:
        return [("whole image", report["error"])]
    trained_for_random = RECIPES.get(report["recipe"], Recipe()).gaze == "random"
    if trained_for_random:
        return [("random gaze", report["error"])]
    return [("learned gaze", report["error"]), ("random gaze", report["error_random_gaze"])]


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    tyro.cli(main)
