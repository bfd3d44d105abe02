"""What a trained agent reaches on the test split, and the words for it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import numpy as np

from agents import evaluate, spec_of
from agents.agent import AttentionAgent
from agents.evaluation import EvalResult, Observer
from agents.loading import agent_from_dict, resized
from agents.names import names_in, names_of
from agents.options import parse_options
from agents.training.checkpoint import load_checked
from agents.training.recipe import Recipe
from agents.trajectory import Trajectory
from glimpse_env.images import Split
from glimpse_env.tasks import TASKS, Task
from runs.confusion import Confusion, confusion_lines
from runs.costs import multiply_adds
from runs.environments import episodes_in, make_canvas_env, make_env, pick_device, sample_episodes, task_name
from runs.stopping import Stopping
from runs.traces.alignment import recalled_words
from runs.traces.recall import recall_hit_rate
from runs.twins import Twins

TEST_SEED = 2**41
"""Seed of the test scenes. With 10,000 episodes each test image is shown once, in a scene of its own."""

SCENES = 10_000
"""Test episodes of a task that shows images, unless another number is asked for."""

BATCH = 500
STORIES = 125
"""Episodes side by side, and of stories that are read whole."""


def evaluate_checkpoint(
    checkpoint: Path,
    *,
    episodes: int | None = None,
    images: Path | None = None,
    split: Split | None = None,
    gaze: str = "",
    data: Path | None = None,
    arguments: tuple[str, ...] = (),
    memory_options: tuple[str, ...] = (),
    device: str = "auto",
) -> dict[str, Any]:
    """What `python -m runs.evaluate` reports.

    Args:
        checkpoint: a weight file (`agent.pt`, `runs/pretrained/*.pt`), a training's `checkpoint.pt`, or its folder.
        episodes: how many; None is every image, scene or question once, and 10,000 images at most.
        images: the user's own canvases (`.npz` with `images`, `labels` and `names`, or a folder of class folders) in
            place of the recipe's test scenes.
        split: which of the images, scenes or questions; None is the test split, or all of `images` that the agent was
            not trained on.
        gaze: a scripted gaze of the environment's, such as "oracle"; "" is as the agent was trained to look.
        data: a folder or archive of files in bAbI's format, in place of those that are found.
        arguments: of the task, in place of those trained with, such as ("min_length=120", "max_length=120").
        memory_options: of the memory, in place of those trained with, such as ("slots=256",) for longer sequences.
        device: "auto", "cpu", "cuda", …

    Returns:
        `recipe`, `env_id`, `episodes`, `gaze` (of the recipe), `seconds`, `mean_return`, `steps` (mean length), `data`
        (where they were found, "" where episodes are made up) and `classes` (of images), and where the environment
        tells right answers `error`: percent of wrong answers, or bits per sequence where answers are bits. Of images
        also `split`, `error_interval` (95 %, Wilson), `error_by_class` and `confusion` (K, K), [class, answer].
        Of twins, such as Winograd's, `pair_consistency_rate`: percent of the pairs of which both are right.
        Where one answer is wanted, `stopping`: what it costs to stop when the answer is certain to some degree.
        Of images, `mean_glimpses` and `multiply_adds` of a decision, all glimpses together.
        Where the task knows rules that need no agent, `cheap_controls`, their errors by name, and `cheap_control`, the
        least of them.
        Where the agent acts, also `glimpses` (at most), `error_by_glimpse` (of walks with several answers
        `error_by_answer`), `cross_entropy`, `error_random_gaze` and `return_random_gaze`, and where episodes are of
        several kinds `error_by_group` and, of each family of kinds, `error_FAMILY` (percent of the episodes with a
        wrong answer); of several answers at once `error_by_part` and `error_PART`, the same of each part; of walks
        `recall_hit_rate` and `recall_hit_rate_by_group` (percent); of words that are said from memory, too. Where it
        reads, `unit`, `bits` per sequence, `wrong_answers` and `wrong_episodes`. On bAbI `error_by_task`, and with a
        gaze `support_hit_rate`.

    Raises:
        FileNotFoundError: where there is no such checkpoint, or no such images or data.
        ValueError: for a damaged checkpoint, or images, a split, a gaze, data or memory options that do not fit it.
    """
    began, where = time.monotonic(), pick_device(device)
    values = load_checked(checkpoint)
    names = names_in(values)
    recipe = Recipe.from_dict(values.get("recipe", {}))
    agent = agent_from_dict(values, checkpoint, memory_options).to(where)
    if images is not None:
        if arguments:
            raise ValueError("--arguments are for the recipe's own scenes, stories and sequences, not for --images")
        env = make_canvas_env(recipe, agent, names, images, BATCH, where, split)
    else:
        env = _own_env(recipe, agent, names, data, arguments, where, split)
    agent = resized(agent, spec_of(env))
    name = task_name(recipe.env.id)
    if episodes is None:
        episodes = episodes_in(env) if agent.spec.named("glimpse") is None else min(SCENES, episodes_in(env))
    if episodes < 1:
        raise ValueError(f"episodes must be at least 1, got {episodes}")
    env_id = recipe.env.id if name is None else f"Glimpse/{name}"
    report: dict[str, Any] = {
        "recipe": recipe.name,
        "env_id": env_id,
        "episodes": episodes,
        "gaze": gaze or recipe.gaze,
    }
    report["data"] = env.metadata.get("source", "")
    if "classes" in (shown := names_of(env.metadata)):
        report["classes"] = shown["classes"]
    if images is not None:
        report["images"] = str(images)
    # Where pictures of these classes are asked about, there are other answers too.
    one_class = env.metadata.get("action_roles", {}).get("answer") == "class"
    classed = (
        one_class and "classes" in report and list(env.metadata.get("answer_names", ())) == list(report["classes"])
    )
    confusion = Confusion(report["classes"]) if classed else None
    if arguments:
        report["arguments"] = list(arguments)
    if memory_options:
        report["memory_options"] = list(memory_options)
    stopping = Stopping() if _may_stop(env) else None
    twins = Twins() if getattr(getattr(env.unwrapped, "task", None), "twins", False) else None
    observers = [observer for observer in (confusion, stopping, twins) if observer is not None]

    def observe(trajectory: Trajectory, kept: int) -> None:
        for observer in observers:
            observer(trajectory, kept)

    report |= _measured(gaze or recipe.gaze, agent, env, episodes, observe)
    if stopping is not None:
        report |= stopping.report()
    if twins is not None:
        report |= twins.report()
    if "glimpses" in report and agent.spec.named("glimpse") is not None:
        report |= {"mean_glimpses": report["steps"], "multiply_adds": multiply_adds(agent, env)}
    if controls := _cheap_controls(env):
        report |= {"cheap_controls": controls, "cheap_control": min(controls.values())}
    if confusion is not None:
        report |= {"split": env.unwrapped.task.arguments["split"], **confusion.report()}
    return {**report, "seconds": round(time.monotonic() - began, 2)}


def _cheap_controls(env: Any) -> dict[str, float]:
    """Errors in percent of rules without an agent, by what they do; other people's environments have none."""
    task = getattr(env.unwrapped, "task", None)
    controls = task.cheap_controls() if isinstance(task, Task) else {}
    return {name: round(error, 4) for name, error in controls.items()}


def _may_stop(env: Any) -> bool:
    """Whether the last answer is all that counts, so that an earlier one may stand for it."""
    task = getattr(env.unwrapped, "task", None)
    if task is None or task.schedule is not None or task.answers_act or task.stops or not task.interactive:
        return False
    if task.horizon < 2 or not task.one_answer:
        return False
    return bool(task.action_roles["answer"] == "class")


def _own_env(
    recipe: Recipe,
    agent: AttentionAgent,
    names: dict[str, list[str]],
    data: Path | None,
    arguments: tuple[str, ...],
    device: Any,
    split: Split | None,
) -> Any:
    """The recipe's environment of a split, with other data or arguments."""
    name = task_name(recipe.env.id)
    if data is not None and "vocabulary" not in names:
        raise ValueError(f"--data are stories in bAbI's format, not for {recipe.name}")
    if arguments and name is None:
        raise ValueError("--arguments are for Glimpse's own scenes, stories and sequences")
    if split is not None and (name is None or not TASKS[name].task.splits):
        raise ValueError(f"--split is for images and stories that have splits, not for {recipe.name}")
    variety = TASKS[name].task.variety if name is not None else ()
    if fixed := {"split", "order", "backend", "device", *variety, *names} & set(parse_options(arguments)):
        raise ValueError(f"--arguments: {', '.join(sorted(fixed))} cannot be chosen in an evaluation")
    changed: dict[str, Any] = {} if data is None else {"data": str(data)}
    changed |= {**names, **parse_options(arguments)}
    reads = "place" not in {part.role for part in agent.spec.observation.values()}
    batch = min(BATCH, recipe.batch) if name is None else STORIES if reads and "vocabulary" in names else BATCH
    env = make_env(recipe, split or "test", batch, device, training=False, **changed)
    found = spec_of(env)
    if not found.fits(agent.spec):
        raise ValueError(
            f"{data or recipe.env.id} does not fit the agent: it was made for {agent.spec}, this is {found}"
        )
    return env


def _measured(gaze: str, agent: AttentionAgent, env: Any, episodes: int, observer: Observer | None) -> dict[str, Any]:
    """The figures with a gaze, "learned" or scripted, which is observed, and where there is a random one with that."""
    acts = env.metadata.get("interactive", True)
    control = None
    numbers: Any = episodes if acts else sample_episodes(episodes, episodes_in(env), more=True)
    scripted = "random" in env.metadata.get("gazes", ())
    # With one glimpse, or trained for random places, there is no gaze of its own to play.
    alone = scripted and (gaze == "random" or env.metadata["horizon"] == 1)
    if scripted and not alone:
        control = evaluate(agent, env, numbers, seed=TEST_SEED, gaze="random")
    gaze = "random" if alone else gaze
    result = evaluate(agent, env, numbers, seed=TEST_SEED, gaze=gaze, observer=observer)
    control = result if alone else control
    report = report_of(agent, result, control, env.metadata)
    task = getattr(env.unwrapped, "task", None)
    schedule = getattr(task, "schedule", None)  # other people's environments have none
    if schedule is not None:  # of what is shown with a question: before it, no answer is due
        due = np.isin(schedule.shown, schedule.shown[schedule.scored])
        by_step = report.pop("error_by_glimpse", [])
        if getattr(task, "delays", None) is None:  # or a step is now of the question, now of a delay
            several = schedule.scored.sum() > 1
            name, asked = ("error_by_answer", schedule.scored) if several else ("error_by_glimpse", due)
            report[name] = [error for error, wanted in zip(by_step, asked, strict=True) if wanted]
        recalled = recall_hit_rate(agent, env, episodes, TEST_SEED, gaze)
        if recalled is not None:
            report["recall_hit_rate"] = round(100 * recalled.rate, 4)
            if names := env.metadata.get("group_names", ()):
                by_kind = {names[number]: round(100 * rate, 4) for number, rate in recalled.by_kind.items()}
                report["recall_hit_rate_by_group"] = by_kind
    words = None if acts else recalled_words(agent, env, episodes, TEST_SEED)
    if words is not None:
        report["recall_hit_rate"] = round(100 * words, 4)
    return report | by_group(result.error_by_group, env.metadata)


def by_group(errors: dict[int, float], metadata: dict[str, Any]) -> dict[str, Any]:
    """`error_by_group` by the groups' names, also under the name of what groups them, such as `error_by_question`, and
    the mean of each family of groups; {} where there are no groups. Of stories that are read, `error_by_task` by the
    numbers of bAbI's tasks."""
    if metadata.get("group_key") == "task" and not metadata.get("interactive", True):
        return {"error_by_task": {str(task): round(error, 4) for task, error in errors.items()}}
    names, families = metadata.get("group_names", ()), metadata.get("group_families", {})
    report: dict[str, Any] = {}
    if errors and names:
        by_name = {names[number]: round(error, 4) for number, error in errors.items()}
        report |= {"error_by_group": by_name, f"error_by_{metadata['group_key']}": by_name}
    for family, numbers in families.items():
        found = [errors[number] for number in numbers if number in errors]
        if found:
            report[f"error_{family}"] = round(sum(found) / len(found), 4)
    return report


def report_of(
    agent: AttentionAgent, result: EvalResult, control: EvalResult | None, metadata: dict[str, Any]
) -> dict[str, Any]:
    """The entries of a report of the environment with this metadata."""
    bits = agent.spec.action["answer"].role == "bits"
    report: dict[str, Any] = {"mean_return": result.mean_return, "steps": result.mean_length}
    if result.error is not None:
        report["error"] = result.bits if bits else result.error
    if not metadata.get("interactive", True):
        report |= {
            "unit": "bits per sequence" if bits else "percent",
            "bits": result.bits,
            "wrong_answers": result.error,
            "wrong_episodes": result.wrong_episodes,
        }
    else:
        report["glimpses"] = metadata["horizon"]
        if result.error_by_part:
            report["error_by_part"] = {name: round(error, 4) for name, error in result.error_by_part.items()}
            report |= {f"error_{name}": error for name, error in report["error_by_part"].items()}
        if result.error is not None:
            report["cross_entropy"] = result.cross_entropy
            if metadata.get("one_answer", True):
                report["error_by_glimpse"] = result.error_by_step
        if control is not None:
            report["return_random_gaze"] = control.mean_return
            report |= {f"{name}_rate_random_gaze": round(100 * v, 4) for name, v in control.metrics.items()}
            if control.error is not None:
                report["error_random_gaze"] = control.error
    return report | {f"{name}_rate": round(100 * value, 4) for name, value in result.metrics.items()}


def lines_of(report: dict[str, Any]) -> list[str]:
    """A report as lines to read."""
    lines = [f"  data: {report['data']}"] if report.get("data") else []
    if classes := report.get("classes"):
        more = f" and {len(classes) - 20} more" if len(classes) > 20 else ""
        lines.append(f"  classes: {', '.join(classes[:20])}{more}")
    lines += [f"  error in task {task:<6} {error:6.2f} %" for task, error in report.get("error_by_task", {}).items()]
    for group, error in report.get("error_by_group", {}).items():
        lines.append(f"  error, {group:<50} {error:6.2f} %")
    for part, error in report.get("error_by_part", {}).items():
        lines.append(f"  error of {part:<17} {error:6.2f} %")
    for glimpse, error in enumerate(report.get("error_by_glimpse", []), 1):
        lines.append(f"  error after {glimpse:>2} glimpse{'s' if glimpse > 1 else ' '}   {error:6.2f} %")
    for answer, error in enumerate(report.get("error_by_answer", []), 1):
        lines.append(f"  error of answer {answer:>2}        {error:6.2f} %")
    if "unit" in report:
        lines += ["", f"  wrong answers {report['wrong_answers']:14.2f} %"]
        lines += [f"  wrong episodes {report['wrong_episodes']:13.2f} %", f"  bits per sequence {report['bits']:10.4f}"]
        if "recall_hit_rate" in report:
            lines.append(f"  recall hit {report['recall_hit_rate']:17.2f} %")
        return lines
    if "confusion" in report:
        lines += ["", *confusion_lines(report)]
    for row in report.get("stopping", [])[:-1]:
        lines.append(
            f"  stopping at {row['certainty']:<6} {row['error']:12.2f} %, after {row['mean_glimpses']:.2f} glimpses"
        )
    lines.append("")
    gazes = [
        (f"{report['gaze']} gaze", "error", "mean_return"),
        ("random gaze", "error_random_gaze", "return_random_gaze"),
    ]
    if report["glimpses"] == 1:
        gazes = [("whole image", "error", "mean_return")]
    for gaze, error, mean_return in gazes[: 1 if report["gaze"] == "random" else 2]:
        if error in report:
            lines.append(f"  error, {gaze:<18} {report[error]:6.2f} %")
        if mean_return in report:
            lines.append(f"  return, {gaze:<16} {report[mean_return]:7.3f}")
    lines += [f"  error, {name:<18} {error:6.2f} %" for name, error in report.get("cheap_controls", {}).items()]
    if "multiply_adds" in report:
        lines.append(
            f"  {report['mean_glimpses']:.2f} glimpses and {report['multiply_adds']:,} multiply-adds a decision"
        )
    for group, rate in report.get("recall_hit_rate_by_group", {}).items():
        lines.append(f"  recall hit, {group:<45} {rate:6.2f} %")
    for key in sorted(name for name, value in report.items() if "_rate" in name and not isinstance(value, dict)):
        lines.append(f"  {key.replace('_rate', '').replace('_', ' '):<26} {report[key]:6.2f} %")
    return lines
