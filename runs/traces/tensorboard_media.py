"""What TensorBoard is handed beside curves: episodes, contents of memories, hyperparameters, a layout of charts.

The same few episodes are drawn at each validation, so that TensorBoard's slider shows them improve. Each function takes
traces and a writer: any training loop may call them.
"""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
from tensorboard.compat.proto.summary_pb2 import Summary
from torch.utils.tensorboard import SummaryWriter
from torch.utils.tensorboard.summary import hparams

from runs.traces.encoding import encode_png, within
from runs.traces.layout import WIDTH, framed
from runs.traces.pictures import memory_panel, pictures_of
from runs.traces.trace import Trace

DRAWN = 3
"""Episodes that are drawn."""

LIMIT = 140_000
"""Bytes of a picture, so that twenty validations of three animations, three memories and a sheet stay below 20 MB."""

PROJECTED = 1_000
"""Slots handed to the projector, at most."""

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
        "fixations at the edge, or off the image": ["Multiline", ["attention/off_image"]],
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


def spread(count: int, episodes: int) -> np.ndarray:
    """(count,) int64 episode numbers, evenly from 0 up to `episodes`: of every task, where tasks follow each other."""
    return np.arange(count) * episodes // count


def add_traces(writer: SummaryWriter, traces: list[Trace], step: int, title: str = "", subtitle: str = "") -> None:
    """Add episodes, one at least, all of one role.

    Glimpses of images, where there are several, have `trace/<i>/gaze`, an animation of each episode, and `trace/sheet`,
    all of them at once. A walk past several pictures has `trace/<i>/recall`. An agent with a memory has
    `trace/<i>/memory`, heat maps of its weights, and a table in `trace/<i>/text`.
    """
    pictures = pictures_of(traces[0])
    animation = pictures.animation if len(traces[0].seen) > 1 else None
    for number, trace in enumerate(traces):
        if animation is not None:
            add_encoded(writer, f"trace/{number}/gaze", animation([trace], limit=LIMIT), step)
        if pictures.tag:
            add_picture(
                writer, f"trace/{number}/{pictures.tag}", framed(pictures.panel(trace, trace.caption), 20), step
            )
        if trace.has_memory:
            add_picture(writer, f"trace/{number}/memory", framed(memory_panel(trace), 20), step)
            writer.add_text(f"trace/{number}/text", pictures.table(trace), step)
    if animation is not None:
        add_picture(writer, "trace/sheet", pictures.sheet(traces, title, subtitle, WIDTH), step)


def add_contents(writer: SummaryWriter, traces: list[Trace], step: int) -> None:
    """Add what lies in the slots to the projector, each labelled with its episode and what was seen as it was written.

    Unlike all else this is written beside the file of events, into a folder of its own.
    """
    rows, labels = [], []
    for number, trace in enumerate(traces):
        for slot, content in enumerate([] if trace.contents is None else trace.contents):
            stored = 0 if trace.step is None else int(trace.step[slot])
            if stored < 0:
                continue
            rows.append(content)
            line = trace.lines[stored] if trace.lines and trace.step is not None else ""
            labels.append([str(number), str(slot + 1), line])
    if rows:
        writer.add_embedding(
            np.stack(rows[:PROJECTED]),
            labels[:PROJECTED],
            global_step=step,
            tag="memory",
            metadata_header=["episode", "slot", "line"],
        )


def add_fixations(writer: SummaryWriter, path: np.ndarray, step: int) -> None:
    """Add histograms of fixations (N, T, D) in [-1, 1], of each glimpse that the agent chose and of all together."""
    for axis in range(path.shape[-1]):
        name = "xy"[axis] if path.shape[-1] > 1 else "place"
        chosen = {"all": path[:, 1:, axis], **{str(t + 1): path[:, t, axis] for t in range(1, path.shape[1])}}
        for glimpse, values in chosen.items():
            if values.size:
                writer.add_histogram(f"fixations/{name}/{glimpse}", values.reshape(-1), step, bins=BINS)


def add_picture(writer: SummaryWriter, tag: str, picture: np.ndarray, step: int) -> None:
    """Add an RGB picture (height, width, 3) uint8, smaller or in fewer colours where it takes more than `LIMIT`."""
    add_encoded(writer, tag, within(LIMIT, lambda frames: encode_png(frames[0]), [picture]), step)


def add_encoded(writer: SummaryWriter, tag: str, content: bytes, step: int) -> None:
    """Add a picture that is encoded already: a PNG, or an APNG, which the page plays (WebP it would not show).

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
    """Add hyperparameters, nested or not, to the file of the curves; `SummaryWriter.add_hparams` opens another."""
    for summary in hparams(flattened(values), dict.fromkeys(SHOWN_AS_METRICS, 0.0)):
        writer._get_file_writer().add_summary(summary)


def flattened(values: dict[str, Any], prefix: str = "") -> dict[str, bool | str | float | int]:
    """Plain values by dotted names; what is None is left out, and lists become text."""
    flat: dict[str, bool | str | float | int] = {}
    for key, value in values.items():
        if isinstance(value, dict):
            flat |= flattened(value, f"{prefix}{key}.")
        elif value is not None:
            flat[prefix + key] = value if isinstance(value, (bool, str, int, float)) else " ".join(map(str, value))
    return flat
