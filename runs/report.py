"""What a finished training prints: its errors, and where everything lies."""

from __future__ import annotations

import sys
from pathlib import Path

from agents.loading import load_agent
from runs.evaluation import evaluate_checkpoint, lines_of
from runs.traces.pictures import pictures_of
from runs.watch import watch


def report(folder: Path, metrics: dict[str, float], *, by_return: bool, device: str = "auto") -> str:
    """Evaluate the run's weights on the test split, draw its gaze, and describe both in a table.

    Args:
        folder: of a finished run, holding `agent.pt`; `gaze.png` is written there, and `gaze.apng` where it moves.
        metrics: of the training.
        by_return: whether it was validated by its return.
        device: "auto", "cpu", "cuda", …
    """
    weights = folder / "agent.pt"
    result = evaluate_checkpoint(weights, device=device)
    best = metrics["validation_error"]
    words = f"return {-best:.4g}" if by_return else f"error {best:.4g}"
    lines = ["", f"{metrics['seconds'] / 60:.1f} minutes of training, validation {words}"]
    if metrics.get("stopped_early"):
        lines.append(f"ended early, after {metrics['episodes']:,} episodes: no progress any more (--patience)")
    lines += [f"{result['recipe']} on {result['env_id']}: {result['episodes']:,} test episodes", ""]
    lines += [*lines_of(result), ""]
    rows = [("weights", weights), ("logs", folder)]
    if result.get("glimpses", 0) > 1 and load_agent(weights).spec.named("glimpse") is not None:
        traces = watch(weights, folder / "gaze.png", device=device)
        rows.append(("picture", folder / "gaze.png"))
        if pictures_of(traces[0]).animation is not None:
            watch(weights, folder / "gaze.apng", device=device)
            rows.append(("animation", folder / "gaze.apng"))
    lines += [f"  {name:<10} {path}" for name, path in rows]
    tensorboard = Path(sys.executable).with_name("tensorboard")
    lines += [
        "",
        f"  {tensorboard} --logdir {folder.parent} --samples_per_plugin images=200,text=200   (or: make watch)",
    ]
    return "\n".join(lines)
