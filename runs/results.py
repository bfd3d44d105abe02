"""Write `runs/RESULTS.md` from the committed weights: `python -m runs.results`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.flop_counter import FlopCounterMode
from tqdm import tqdm

from agents import AgentConfig, AttentionAgent, play
from agents.checkpoint import load_checked, write_atomically
from agents.loading import Agent, agent_from_dict
from runs.environments import make_env
from runs.evaluate import evaluate_checkpoint
from runs.recipe import Recipe
from runs.recipes import RECIPES
from runs.tables import sb3, sequences
from runs.tables.foreign import HEAD as FOREIGN_HEAD
from runs.tables.foreign import foreign_row
from runs.tables.gathering import load_rows
from runs.tables.hidden_stories import HEAD as HIDDEN_HEAD
from runs.tables.hidden_stories import story_row
from runs.tables.recall import HEAD as RECALL_HEAD
from runs.tables.recall import LONGER, LONGER_HEAD, by_task, longer_row, recall_row

PRETRAINED = Path("runs/pretrained")

RESULTS = Path("runs/RESULTS.md")

PAPER = {
    "mnist": ("1.07", "conv 1.21"),
    "translated": ("1.20", "conv 1.62"),
    "cluttered": ("4.04", "conv 8.09, random gaze 14.4"),
    "make-train": ("4.04", "what `make train` makes"),
    "cluttered100": ("8.11", "conv 14.35, random gaze 28.4"),
    "cluttered-random": ("14.4", ""),
    "cluttered100-random": ("28.4", ""),
    "cnn-cluttered": ("–", ""),
    "paper-cnn-cluttered": ("8.09", ""),
    "paper-cnn-cluttered100": ("14.35", ""),
}
"""Error of the paper's model and its controls (Mnih et al. 2014, tables 1 to 3, NIPS version)."""

HEAD = """# Results

Test error in percent: 10,000 scenes of the test split (`seed 2**41`), each test image once, gaze at the policy's mean,
no averaging. Weights were chosen on the validation split; nothing was chosen by the test split. Written by
`python -m runs.results`; each row is reproduced by `python -m runs.evaluate runs/pretrained/<recipe>.pt`.

*Random gaze* shows the same weights random places; the rows `*-random` are the same network **trained** for random
places, which is the fair control, though for fewer episodes here. *Multiply-adds* are those of one whole decision, all
glimpses together.

| recipe | glimpses | error | random gaze | paper | parameters | multiply-adds |
|---|---|---|---|---|---|---|
"""

TRAINING = """
## How they were trained

The seed is in the weight file with the whole recipe.

| recipe | command | seed | episodes | validation error | wall time | machine |
|---|---|---|---|---|---|---|
"""

BY_GLIMPSE = """
## Error after each glimpse

| recipe | error after glimpse 1, 2, … |
|---|---|
"""


def multiply_adds(agent: Agent, env: Any) -> int:
    """Multiply-adds of one episode's decision, all glimpses together."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        play(agent, env, np.arange(env.num_envs), seed=0)
    return counter.get_total_flops() // 2 // env.num_envs


def command(recipe: Recipe) -> str:
    """What trains `recipe` again, as far as it differs from the recipe of its name."""
    known = RECIPES.get(recipe.name)
    if known is None:
        return "(custom)"
    names = (
        "episodes",
        "batch",
        "lr",
        "std",
        "std_end",
        "seed",
        "discount",
        "gaze_lr",
        "answers",
        "pool",
        "choose",
        "learn",
        "clip",
        "weight_decay",
        "optimizer",
        "begin",
    )
    changed = [
        f" --{n.replace('_', '-')} {getattr(recipe, n)}" for n in names if getattr(recipe, n) != getattr(known, n)
    ]
    if isinstance(recipe.agent, AgentConfig) and isinstance(known.agent, AgentConfig):
        if recipe.agent.imagine != known.agent.imagine:
            changed.append(f" --imagine {recipe.agent.imagine}")
        if recipe.agent.memory_options != known.agent.memory_options:
            changed.append(f" --memory-options {' '.join(recipe.agent.memory_options)}")
    if recipe.env.arguments != known.env.arguments:
        changed.append(f" --arguments {' '.join(recipe.env.arguments)}")
    return f"`python -m runs.train {recipe.name}{''.join(changed)}`"


def result_row(name: str, report: dict[str, Any], agent: Agent, cost: int) -> str:
    """A line of the first table."""
    paper, controls = PAPER.get(name, ("–", ""))
    quoted = f"{paper} ({controls})" if controls else paper
    chance = f"{report['error_random_gaze']:.2f}" if report["glimpses"] > 1 else "–"
    cells = [
        f"`{name}`",
        report["glimpses"],
        f"**{report['error']:.2f}**",
        chance,
        quoted,
        f"{parameter_count(agent):,}",
        f"{cost:,}",
    ]
    return table_row(cells)


def training_row(name: str, recipe: Recipe, run: dict[str, Any]) -> str:
    """A line of the second table."""
    time = f"{run['seconds'] / 60:.1f} min"
    machine = f"{run['machine']}, {run['processes']} process{'es' * (run['processes'] > 1)}"
    returns = recipe.env.foreign() and recipe.reward == "environment"
    error = f"return {-run['validation_error']:.2f}" if returns else f"{run['validation_error']:.2f}"
    return table_row([f"`{name}`", command(recipe), recipe.seed, f"{run['episodes']:,}", error, time, machine])


def parameter_count(agent: Agent) -> int:
    """Of what is used after the training: without the baseline."""
    return sum(p.numel() for key, p in agent.named_parameters() if not key.startswith("baseline."))


def table_row(cells: list[Any]) -> str:
    """A line of a Markdown table."""
    return f"| {' | '.join(str(cell) for cell in cells)} |\n"


def main() -> None:
    """Evaluate every committed weight file and write the tables."""
    rows, trainings, by_glimpse, recalled, longer, joined = "", "", "", "", "", ""
    stories: dict[str, list[dict[str, Any]]] = {}
    hidden: list[tuple[str, dict[str, Any], str, int, int]] = []
    order = list(PAPER)
    paths = sorted(PRETRAINED.glob("*.pt"), key=lambda p: (order.index(p.stem) if p.stem in order else 99, p.stem))
    for path in tqdm(paths, unit=" weights"):
        values = load_checked(path)
        recipe, agent = Recipe.from_dict(values["recipe"]), agent_from_dict(values, path)
        report = evaluate_checkpoint(path, device="cpu")
        trainings += training_row(path.stem, recipe, values["training"])
        if isinstance(agent, AttentionAgent) and not agent.form.motion:
            size, run = parameter_count(agent), {**values["training"], "begin": recipe.begin}
            recalled += recall_row(path.stem, report, recipe_memory(agent), size, run)
            for arguments, options in LONGER.get(recipe.env.id, ()):
                if options and agent.config.memory == "none":
                    continue
                more = evaluate_checkpoint(path, arguments=arguments, memory_options=options, device="cpu")
                longer += longer_row(path.stem, more)
            if len(report.get("error_by_task", {})) > 1:
                stories.setdefault(recipe.name, []).append(report)
            continue
        if recipe.env.foreign():
            joined += foreign_row(path.stem, report, agent.form.answers, parameter_count(agent))
            continue
        if recipe.env.id == "BabiGaze-v0":
            lines = agent.config.imagine if isinstance(agent, AttentionAgent) else 0
            task = str(recipe.env.kwargs().get("task", 1))
            hidden.append((path.stem, report, task, parameter_count(agent), lines))
        else:
            rows += result_row(path.stem, report, agent, multiply_adds(agent, make_env(recipe, "test", 10, "cpu")))
        if report["glimpses"] > 1:
            errors = " · ".join(f"{error:.2f}" for error in report["error_by_glimpse"])
            by_glimpse += table_row([f"`{path.stem}`", errors])
    reader = stories["babi-10k"][0]["error_by_task"] if "babi-10k" in stories else {}
    told = "".join(story_row(name, report, task, reader, *sizes) for name, report, task, *sizes in hidden)
    text = (
        HEAD
        + rows
        + BY_GLIMPSE
        + by_glimpse
        + RECALL_HEAD
        + recalled
        + (LONGER_HEAD + longer if longer else "")
        + sequences.sequences_table(load_rows(sequences.ROWS))
        + "".join(by_task(name, reports) for name, reports in stories.items())
        + (HIDDEN_HEAD + told if told else "")
        + (FOREIGN_HEAD + joined if joined else "")
        + sb3.sb3_table(load_rows(sb3.ROWS))
        + TRAINING
        + trainings
    )
    write_atomically(text.encode(), RESULTS)
    print(f"wrote {RESULTS}")


def recipe_memory(agent: AttentionAgent) -> str:
    """The memory and its options, as a cell."""
    config = agent.config
    core = "" if config.core == "none" else f"{config.core.upper()} {config.width}, "
    return f"{core}{config.memory} {' '.join(config.memory_options)}".strip()


if __name__ == "__main__":
    main()
