"""What TensorBoard is handed beside curves: animations, hyperparameters, a layout of charts."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

LAYOUT: dict[str, dict[str, list[Any]]] = {
    "Learning": {
        "right answers": ["Multiline", ["rollout/success_rate", "eval/success_rate"]],
        "error by glimpse, %": ["Multiline", [r"eval/error_by_glimpse/.*"]],
        "error by task, %": ["Multiline", [r"eval/error_by_task/.*"]],
        "losses": ["Multiline", [r"train/.*loss"]],
    },
    "Gaze": {
        "hits": ["Multiline", [r"attention/.*hit_rate"]],
        "coverage": ["Multiline", ["attention/coverage"]],
        "saccade length": ["Multiline", ["attention/saccade_length"]],
        "entropy of fixations, nats": ["Multiline", ["attention/entropy"]],
    },
    "Memory": {
        "entropy, nats": ["Multiline", [r"memory/.*_entropy"]],
        "usage": ["Multiline", ["memory/usage"]],
    },
}
"""Charts that belong together, for the custom scalars' page."""

BINS = np.linspace(-1, 1, 21)
"""Edges of the histograms of fixations."""

SHOWN_AS_METRICS = ("eval/success_rate", "rollout/success_rate", "train/loss", "time/fps")
"""Curves whose last values stand beside the hyperparameters."""


def check_writable(folder: str | Path) -> None:
    """Make a run's folder, and try to write there.

    Raises:
        ValueError: where that cannot be done.
    """
    probe = Path(folder) / f".writable-{os.getpid()}"  # several processes of one run may look at once
    try:
        probe.parent.mkdir(parents=True, exist_ok=True)
        probe.write_bytes(b"")
        probe.unlink(missing_ok=True)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise ValueError(f"cannot write logs to {folder} ({reason}): name another place with --folder") from error


def add_encoded(writer: SummaryWriter, tag: str, content: bytes, step: int) -> None:
    """Log a picture that is encoded already: a PNG, or an APNG, which the page plays (WebP it would not show).

    Raises:
        ValueError: where it cannot be decoded.
    """
    first = cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    if first is None:
        raise ValueError(f"what is logged as {tag} is no picture")
    height, width = first.shape[:2]
    image = Summary.Image(height=height, width=width, colorspace=3, encoded_image_string=content)
    writer._get_file_writer().add_summary(Summary(value=[Summary.Value(tag=tag, image=image)]), step)


def add_hparams(writer: SummaryWriter, values: dict[str, Any]) -> None:
    """Log hyperparameters, nested or not, into the file of the curves; `SummaryWriter.add_hparams` opens another."""
    for summary in hparams(flattened(values), dict.fromkeys(SHOWN_AS_METRICS, 0.0)):
        writer._get_file_writer().add_summary(summary)


def add_fixations(writer: SummaryWriter, path: np.ndarray, step: int) -> None:
    """Log histograms of fixations (N, T, D) in [-1, 1], of each glimpse that the agent chose and of all together."""
    for axis in range(path.shape[-1]):
        name = "xy"[axis] if path.shape[-1] > 1 else "place"
        chosen = {"all": path[:, 1:, axis], **{str(t + 1): path[:, t, axis] for t in range(1, path.shape[1])}}
        for glimpse, values in chosen.items():
            if values.size:
                writer.add_histogram(f"fixations/{name}/{glimpse}", values.reshape(-1), step, bins=BINS)


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, bool | str | float | int]:
    """Plain values by dotted names; what is None is left out, and lists become text."""
    flat: dict[str, bool | str | float | int] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = value if isinstance(value, (bool, str, int, float)) else " ".join(map(str, value))
    return flat
