"""The error of a trained agent: `python -m runs.evaluate CHECKPOINT [--images FILE.npz] [--data FOLDER] [--json]`."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import torch
import tyro

from agents import AttentionAgent, Evaluation, Foreign, evaluate, evaluate_reading
from agents.checkpoint import load_checked
from agents.loading import Agent, agent_from_dict
from agents.options import parse_options
from agents.spaces import form_of
from runs.environments import VARIETY, episodes_in, make_canvas_env, make_env, pick_device, sample_episodes
from runs.foreign import evaluate_foreign
from runs.places import fixed_gaze
from runs.recipe import Recipe

TEST_SEED = 2**41
"""Seed of the test scenes. With 10,000 episodes each test image is shown once, in a scene of its own."""

BATCH = 500


def evaluate_checkpoint(
    checkpoint: Path,
    *,
    episodes: int | None = None,
    images: Path | None = None,
    data: Path | None = None,
    arguments: tuple[str, ...] = (),
    memory_options: tuple[str, ...] = (),
    device: str = "auto",
) -> dict[str, Any]:
    """What `python -m runs.evaluate` reports.

    Args:
        checkpoint: a weight file (`agent.pt`, `runs/pretrained/*.pt`) or a training's `checkpoint.pt`.
        episodes: how many; None is 10,000 scenes, every image of `images`, or every question, once.
        images: the user's own canvases (`.npz` with `images` and `labels`, or a folder of class folders) in place of
            the recipe's test scenes.
        data: a folder or archive of files in bAbI's format, in place of those that are found.
        arguments: of the task, in place of those trained with, such as ("min_length=120", "max_length=120").
        memory_options: of the memory, in place of those trained with, such as ("slots=256",) for longer sequences.
        device: "auto", "cpu", "cuda", …

    Returns:
        `recipe`, `env_id`, `episodes`, `gaze` (of the recipe), `seconds`, and `error`: percent of wrong answers, or
        bits per sequence where answers are bits. Where there is a gaze, also `glimpses`, `error_random_gaze` and
        `error_by_glimpse`; without one, `unit`, `bits` per sequence, `wrong_answers` and `wrong_episodes`; on bAbI
        `error_by_task`, and with a gaze `support_hit_rate`. In somebody else's environment `mean_return`,
        `return_random_gaze` and `steps`, and errors (and `cross_entropy`) only where it tells the right class.

    Raises:
        FileNotFoundError: where there is no such checkpoint, or no such images or data.
        ValueError: for a damaged checkpoint, or images, data or memory options that do not fit it.
    """
    began, where = time.monotonic(), pick_device(device)
    values = load_checked(checkpoint, where)
    recipe = Recipe.from_dict(values.get("recipe", {}))
    agent = agent_from_dict(values, checkpoint, memory_options).to(where)
    story = "Babi" in recipe.env.id
    if images is not None and agent.form.kind != "image":
        raise ValueError(f"--images are for agents that look at images, not for {recipe.name}")
    if data is not None and not story:
        raise ValueError(f"--data are stories in bAbI's format, not for {recipe.name}")
    if arguments and (images is not None or recipe.env.foreign()):
        raise ValueError("--arguments are for the recipe's own scenes, stories and sequences")
    if fixed := {"split", "order", "backend", "device", *VARIETY} & set(parse_options(arguments)):
        raise ValueError(f"--arguments: {', '.join(sorted(fixed))} cannot be chosen in an evaluation")
    if images is not None:
        env, env_id = make_canvas_env(recipe, agent, images, BATCH, where), "Glimpse/Classify-v0"
    else:
        changed: dict[str, Any] = {} if data is None else {"data": str(data)}
        changed |= {**(values.get("words") or {}), **parse_options(arguments)}
        batch = BATCH if recipe.env.num_glimpses or not story else BATCH // 4
        batch = min(batch, recipe.batch) if recipe.env.foreign() else batch
        env_id = recipe.env.id if recipe.env.foreign() else f"Glimpse/{recipe.env.id}"
        try:
            env = make_env(recipe, "test", batch, where, **changed)
        except TypeError as error:
            raise ValueError(f"--arguments {' '.join(arguments)}: {error}") from error
        found = form_of(env.single_observation_space, env.single_action_space)
        if found._replace(longest=1) != agent.form._replace(longest=1):
            raise ValueError(f"{data or env_id} does not fit the agent: it was made for {agent.form}, this is {found}")
    scenes = images is None and agent.form.kind == "image"
    episodes = episodes or (10_000 if scenes else episodes_in(env))
    report: dict[str, Any] = {"recipe": recipe.name, "env_id": env_id, "episodes": episodes, "gaze": recipe.gaze}
    if arguments:
        report["arguments"] = list(arguments)
    if memory_options:
        report["memory_options"] = list(memory_options)
    if isinstance(env, Foreign):
        report |= of_foreign(recipe, agent, env, episodes)
    elif agent.form.motion:
        report |= of_gaze(recipe, agent, env, episodes, where)
    else:
        report |= of_reading(agent, env, episodes)
    return {**report, "seconds": round(time.monotonic() - began, 2)}


def of_gaze(recipe: Recipe, agent: Agent, env: Any, episodes: int, device: torch.device) -> dict[str, Any]:
    """The errors of an agent that looks: as it was trained to, and at random."""

    def played(gaze: str) -> Evaluation:
        places = None if gaze == "learned" else fixed_gaze(gaze, TEST_SEED, env, device)
        return evaluate(agent, env, episodes, places=places, seed=TEST_SEED)

    chance = played("random")
    # With one glimpse, or trained for random places, there is no gaze of its own to play.
    alone = recipe.gaze == "random" or env.metadata["horizon"] == 1
    result = chance if alone else played(recipe.gaze)
    return {
        "glimpses": env.metadata["horizon"],
        "error": result.error,
        "error_random_gaze": chance.error,
        "error_by_glimpse": result.error_by_glimpse,
        **({"support_hit_rate": result.support_hit_rate} if result.support_hit_rate is not None else {}),
    }


def of_foreign(recipe: Recipe, agent: Agent, env: Foreign, episodes: int) -> dict[str, Any]:
    """Returns and errors in somebody else's environment: as the agent was trained to move, and at random."""
    own, chance = (
        evaluate_foreign(recipe, agent, env, episodes, gaze=gaze, begin=TEST_SEED) for gaze in (recipe.gaze, "random")
    )
    report: dict[str, Any] = {
        "glimpses": env.horizon,
        "mean_return": own.mean_return,
        "return_random_gaze": chance.mean_return,
        "steps": own.steps,
    }
    if own.error is None:
        return report
    return {
        **report,
        "error": own.error,
        "error_random_gaze": chance.error,
        "error_by_glimpse": own.error_by_glimpse,
        "cross_entropy": own.cross_entropy,
    }


def of_reading(agent: Agent, env: Any, episodes: int) -> dict[str, Any]:
    """The errors of an agent that reads."""
    assert isinstance(agent, AttentionAgent)
    numbers = sample_episodes(episodes, episodes_in(env), more=True)
    score = evaluate_reading(agent, env, numbers, seed=TEST_SEED)
    report: dict[str, Any] = {
        "error": score.bits if agent.form.bits else score.error,
        "unit": "bits per sequence" if agent.form.bits else "percent",
        "bits": score.bits,
        "wrong_answers": score.error,
        "wrong_episodes": score.wrong_episodes,
    }
    if score.error_by_task:
        report["error_by_task"] = {str(task): round(error, 4) for task, error in score.error_by_task.items()}
    return report


def main(
    checkpoint: tyro.conf.Positional[Path],
    /,
    episodes: int | None = None,
    images: Path | None = None,
    data: Path | None = None,
    arguments: tuple[str, ...] = (),
    memory_options: tuple[str, ...] = (),
    device: str = "auto",
    json: bool = False,
) -> None:
    """Evaluate a trained agent on the test split, with learned and with random gaze where it has one.

    Args:
        checkpoint: A weight file, or a training's checkpoint.
        episodes: How many; 10,000 scenes, or each of the images or questions once.
        images: Your own canvases in place of generated scenes: an .npz file with images and labels, or a folder.
        data: Your own stories, a folder or archive in bAbI's format.
        arguments: Of the task, in place of those trained with, such as min_length=120 max_length=120.
        memory_options: Of the memory, in place of those trained with, such as slots=256 for longer sequences.
        device: auto, cpu, cuda, …
        json: Print one JSON object and nothing else.
    """
    try:
        report = evaluate_checkpoint(
            checkpoint,
            episodes=episodes,
            images=images,
            data=data,
            arguments=arguments,
            memory_options=memory_options,
            device=device,
        )
    except (ValueError, FileNotFoundError) as error:
        sys.exit(f"error: {error}")
    print_report(report, as_json=json)


def print_report(report: dict[str, Any], *, as_json: bool) -> None:
    """One JSON object, or a table to read."""
    if as_json:
        print(json.dumps(report))
        return
    print(f"{report['recipe']} on {report['env_id']}, {report['episodes']:,} episodes, {report['seconds']} s\n")
    if "glimpses" not in report:
        print_reading(report)
        return
    if "error" in report:
        print("  glimpses   error %")
        for glimpse, error in enumerate(report["error_by_glimpse"], 1):
            print(f"  {glimpse:>8}   {error:7.2f}")
        for name, error in gaze_errors(report):
            print(f"\n  {name:<12} {error:7.2f} %", end="")
        print()
    for name, value in gaze_returns(report):
        print(f"  {name:<12} {value:7.3f} return")


def print_reading(report: dict[str, Any]) -> None:
    """The errors of a reader, task by task where there are several."""
    for task, error in report.get("error_by_task", {}).items():
        print(f"  task {task:<8}       {error:7.2f} %")
    print(f"\n  wrong answers       {report['wrong_answers']:7.2f} %")
    print(f"  wrong episodes      {report['wrong_episodes']:7.2f} %")
    print(f"  bits per sequence   {report['bits']:9.4f}")


def gaze_errors(report: dict[str, Any]) -> list[tuple[str, float]]:
    """What there is to tell of the gaze: nothing, for an agent that sees all at once."""
    if report["glimpses"] == 1:
        return [("whole image", report["error"])]
    if report["gaze"] == "random":
        return [("random gaze", report["error"])]
    return [(f"{report['gaze']} gaze", report["error"]), ("random gaze", report["error_random_gaze"])]


def gaze_returns(report: dict[str, Any]) -> list[tuple[str, float]]:
    """The mean returns in somebody else's environment; nothing elsewhere."""
    if "mean_return" not in report:
        return []
    rows = [(f"{report['gaze']} gaze", report["mean_return"]), ("random gaze", report["return_random_gaze"])]
    return rows[report["gaze"] == "random" :]


if __name__ == "__main__":
    torch.set_grad_enabled(False)
    tyro.cli(main)
