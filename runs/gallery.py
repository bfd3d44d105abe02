"""The gallery: a few validation episodes, always the same, drawn for TensorBoard so that its slider shows one improve.

Each function takes what was recorded and a writer, and draws and adds it: any training loop may call them.
"""

from __future__ import annotations

import numpy as np
from torch.utils.tensorboard import SummaryWriter

from runs.drawing.contact_sheet import animation, contact_sheet
from runs.drawing.encoding import encode_png, within
from runs.drawing.layout import framed
from runs.drawing.memory_pictures import memory_panel
from runs.drawing.memory_text import episode_table
from runs.recording.recollections import Recollection
from runs.recording.traces import Trace
from runs.summaries import add_encoded

DRAWN = 3
"""Episodes of the gallery."""

LIMIT = 140_000
"""Bytes of a picture, so that twenty validations of three animations, three memories and a sheet stay below 20 MB."""

PROJECTED = 1_000
"""Slots handed to the projector, at most."""


def spread(count: int, episodes: int) -> np.ndarray:
    """(count,) int64 episode numbers, evenly from 0 up to `episodes`: of every task, where tasks follow each other."""
    return np.arange(count) * episodes // count


def add_traces(writer: SummaryWriter, traces: list[Trace], step: int, title: str = "", subtitle: str = "") -> None:
    """Add what was seen in episodes: `trace/<i>/gaze`, an animation of each, and `trace/sheet`, all of them at once."""
    for number, trace in enumerate(traces):
        add_encoded(writer, f"trace/{number}/gaze", animation([trace], limit=LIMIT), step)
    sheet = contact_sheet(traces, title, subtitle)
    add_encoded(writer, "trace/sheet", within(LIMIT, lambda frames: encode_png(frames[0]), [sheet]), step)


def add_memories(writer: SummaryWriter, memories: list[Recollection], step: int) -> None:
    """Add what was remembered in episodes: `trace/<i>/memory`, heat maps, and `trace/<i>/text`, a table."""
    for number, memory in enumerate(memories):
        panel = framed(memory_panel(memory, f"episode {memory.episode:,}"), 20)
        content = within(LIMIT, lambda frames: encode_png(frames[0]), [panel])
        add_encoded(writer, f"trace/{number}/memory", content, step)
        writer.add_text(f"trace/{number}/text", episode_table(memory), step)


def add_contents(writer: SummaryWriter, memories: list[Recollection], step: int) -> None:
    """Add what lies in the slots to the projector, each labelled with its episode and what was seen as it was written.

    Unlike all else this is written beside the file of events, into a folder of its own.
    """
    rows, labels = [], []
    for number, memory in enumerate(memories):
        slots = np.zeros((0, 0)) if memory.contents is None else memory.contents
        by_line = memory.recalled is not None and 0 < len(memory.lines) <= len(slots)
        words = memory.lines if by_line else [""] * len(slots)
        for slot, (line, content) in enumerate(zip(words, slots, strict=False), 1):
            rows.append(content)
            labels.append([str(number), str(slot), line])
    if rows:
        writer.add_embedding(
            np.stack(rows[:PROJECTED]),
            labels[:PROJECTED],
            global_step=step,
            tag="memory",
            metadata_header=["episode", "slot", "line"],
        )
