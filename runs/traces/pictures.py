"""Which pictures are drawn of an episode: a row for each role of what was seen."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from runs.traces.alignment_panel import alignment_panel, alignment_table
from runs.traces.animation import animation
from runs.traces.contact_sheet import contact_sheet
from runs.traces.encoding import encode_png
from runs.traces.layout import WIDTH, above, framed, label, paragraph
from runs.traces.markdown import outcome
from runs.traces.panels import glimpses_panel
from runs.traces.recall_panel import recall_panel, recall_sheet
from runs.traces.sequence_panel import sequence_panel, sequence_table
from runs.traces.text_panel import text_panel, text_table
from runs.traces.trace import Trace
from runs.traces.weight_maps import memory_maps


class Pictures(NamedTuple):
    """How episodes are drawn.

    Attributes:
        panel: from a trace and a title to a picture of what was seen and recalled.
        table: the same in Markdown.
        step: what a step is called.
        sheet: from traces, a title and a subtitle to one picture; of what moves, with a width in pixels too.
        animation: the same as an APNG; None for what does not move.
        tag: what the panel alone is called in TensorBoard; "" where it is not shown alone.
    """

    panel: Callable[[Trace, str], np.ndarray]
    table: Callable[[Trace], str]
    step: str
    sheet: Callable[..., np.ndarray]
    animation: Callable[..., bytes] | None = None
    tag: str = ""


def memory_panel(trace: Trace) -> np.ndarray:
    """One episode: what was seen and recalled, and below it the memory's weights over time."""
    pictures = pictures_of(trace)
    seen = pictures.panel(trace, f"episode {trace.episode:,}")
    maps = memory_maps(trace, "glimpse" if trace.path is not None else pictures.step)
    return seen if maps is None else above([seen, maps], 20)


def memory_sheet(traces: list[Trace], title: str, subtitle: str) -> np.ndarray:
    """Several episodes, one above the other."""
    heads = [label(title, 30, weight=600)] if title else []
    heads += [paragraph(subtitle, WIDTH)] if subtitle else []
    return framed(above([*heads, *map(memory_panel, traces)], 18), 24)


PICTURES: dict[str, Pictures] = {
    "glimpse": Pictures(glimpses_panel, outcome, "glimpse", contact_sheet, animation),
    "walk": Pictures(recall_panel, outcome, "glimpse", recall_sheet, tag="recall"),
    "tokens": Pictures(text_panel, text_table, "line", memory_sheet),
    "aligned": Pictures(alignment_panel, alignment_table, "word", memory_sheet),
    "bits": Pictures(sequence_panel, sequence_table, "step", memory_sheet),
    "values": Pictures(sequence_panel, sequence_table, "step", memory_sheet),
}
"""By the role of what was seen. Another role is one file and one row."""


def pictures_of(trace: Trace) -> Pictures:
    """The row of `PICTURES` for what was seen.

    Raises:
        ValueError: for a role without one.
    """
    if trace.role not in PICTURES:
        raise ValueError(f"nothing draws the role {trace.role!r}: add a row to runs.traces.pictures.PICTURES")
    return PICTURES[trace.role]


def encode(traces: list[Trace], title: str, subtitle: str, suffix: str) -> bytes:
    """The content of a file of episodes of one role: ".png" or ".apng".

    Raises:
        ValueError: for an animation of what does not move.
    """
    pictures = pictures_of(traces[0])
    if suffix == ".png":
        return encode_png(pictures.sheet(traces, title, subtitle))
    if pictures.animation is None:
        raise ValueError("only glimpses of images move: what is read is drawn as a .png, no .apng")
    return pictures.animation(traces, title, subtitle)
