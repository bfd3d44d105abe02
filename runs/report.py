"""What a finished training prints: its errors, and where everything lies."""

from __future__ import annotations

import sys
from pathlib import Path

from runs.evaluate import evaluate_checkpoint, gaze_errors, gaze_returns
from runs.watch import watch


def report(folder: Path, *, device: str = "auto") -> str:
    """Evaluate the run's weights on the test split, draw its gaze, and tell of both in a table.

    Args:
        folder: of a finished run, holding `agent.pt`; `gaze.png` and `gaze.apng` are written there.
        device: "auto", "cpu", "cuda", …
    """
    weights = folder / "agent.pt"
    result = evaluate_checkpoint(weights, device=device)
    lines = [f"{result['recipe']} on {result['env_id']}: {result['episodes']:,} test episodes", ""]
    for glimpse, error in enumerate(result.get("error_by_glimpse", []), 1):
        lines.append(f"  error after {glimpse:>2} glimpse{'s' if glimpse > 1 else ' '}   {error:6.2f} %")
    if "glimpses" in result:
        errors = gaze_errors(result) if "error" in result else []
        lines += ["", *(f"  error, {name:<18} {error:6.2f} %" for name, error in errors)]
        lines += [*(f"  return, {name:<16} {value:7.3f}" for name, value in gaze_returns(result)), ""]
    else:
        lines += [
            f"  error in task {task:<6} {error:6.2f} %" for task, error in result.get("error_by_task", {}).items()
        ]
        lines += [
            "",
            f"  wrong answers {result['wrong_answers']:14.2f} %",
            f"  bits per sequence {result['bits']:10.4f}",
            "",
        ]
    rows = [("weights", weights), ("logs", folder)]
    if result.get("glimpses", 0) > 1 and "Babi" not in result["env_id"] and "mean_return" not in result:
        for name in ("gaze.png", "gaze.apng"):
            watch(weights, folder / name, device=device)
        rows += [("picture", folder / "gaze.png"), ("animation", folder / "gaze.apng")]
    lines += [f"  {name:<10} {path}" for name, path in rows]
    tensorboard = Path(sys.executable).with_name("tensorboard")
    lines += [
        "",
        f"  {tensorboard} --logdir {folder.parent} --samples_per_plugin images=200,text=200   (or: make watch)",
    ]
    return "\n".join(lines)
