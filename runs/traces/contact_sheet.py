"""A picture of episodes: each with its scene, its glimpses, and how the belief went from one to the next."""

from __future__ import annotations

import math

import cv2
import numpy as np

from glimpse_env.render import PATH_COLOUR, WINDOW_COLOURS, Colour
from runs.traces.belief_charts import belief_table, name_width, percent
from runs.traces.layout import (
    INK,
    MUTED,
    OTHER,
    SMALL,
    TEXT,
    TRACK,
    TRUTH,
    WIDTH,
    WRONG,
    above,
    beside,
    blank,
    flow,
    framed,
    label,
    mark,
    paragraph,
)  # fmt: skip
from runs.traces.lettering import shorten
from runs.traces.panels import number_panel, outcome_colour, patches_panel, scene_panel
from runs.traces.trace import Trace

MARGIN = 20
"""Pixels around a picture."""

SCENE, SIDE = 420, 220
"""The longer side of a scene, and the width of the outcome beside or below it, in pixels."""

PITCH, PITCHES = 60, 110
"""Pixels of a glimpse across, at least and at most."""

PATCHES = 300
"""Height of a glimpse's patches in pixels, at most."""


def contact_sheet(traces: list[Trace], title: str = "", subtitle: str = "", width: int = 2 * WIDTH) -> np.ndarray:
    """Episodes, one at least, from top to bottom, in a picture `width` pixels wide: `WIDTH` for a card, or twice that.

    Glimpses go from left to right, and on in further rows where they are many.
    """
    inner = width - 2 * MARGIN
    rows = [sheet_row(trace, inner) for trace in traces]
    ruled = [part for row in rows for part in (blank(2, inner, TRACK), row)][1:]
    return framed(above([header(traces, title, subtitle, inner), *ruled, blank(0, inner)], 20), MARGIN)


def sheet_row(trace: Trace, width: int) -> np.ndarray:
    """One episode of a contact sheet: its glimpses beside its scene where the picture is wide, else below."""
    scene, said = scene_panel(trace, len(trace.seen), (SCENE, SCENE)), outcome_panel(trace, SIDE)
    if width >= 2 * (SCENE + SIDE):
        return beside([above([said, scene], 12), glimpse_table(trace, width - SCENE - 28)], 28)
    return above([beside([scene, said], 16), glimpse_table(trace, width)], 12)


def glimpse_table(trace: Trace, width: int) -> np.ndarray:
    """Glimpses from left to right with their patches, and below the belief after each, in as many rows as they need."""
    steps, names = len(trace.seen), name_width(trace)
    blocks = math.ceil(steps / max(1, (width - names) // PITCH))
    across = math.ceil(steps / blocks)
    pitch = min(PITCHES, (width - names) // across)
    parts = []
    for first in range(0, steps, across):
        chosen = range(first, min(first + across, steps))
        columns = []
        for step in chosen:
            patches = patches_panel(trace.seen[step], PATCHES, pitch)
            column = above([number_panel(trace, step), patches], 4, "centre")
            columns.append(above([blank(0, pitch), column], 0, "centre"))
        parts.append(above([beside([blank(1, names), *columns]), belief_table(trace, chosen, pitch)], 8))
    return above(parts, 16)


def outcome_panel(trace: Trace, width: int) -> np.ndarray:
    """What the episode is called, and what the agent answered; and where that is known whether it is right, what it
    was, and the hits."""
    answer, room = trace.name(int(trace.answer[-1])), width - TEXT - 8
    said = [label(shorten(answer, TEXT, room, 600), TEXT, outcome_colour(trace), 600)]
    said += [mark(trace.correct, TEXT)] if trace.known else []
    parts = [caption(shorten(trace.caption, SMALL, width)), blank(2, 1), caption("answer"), beside(said, 8, "centre")]
    parts += [caption(percent(trace.beliefs[-1].max()))]
    if trace.known:
        truth = shorten(trace.name(trace.label), TEXT, room, 600)
        parts += [blank(2, 1), caption("truth"), label(truth, TEXT, weight=600)]
    if trace.box is not None:
        parts += [blank(2, 1), caption(hits_of(trace, len(trace.seen)))]
    return above(parts, 2)


def hits_of(trace: Trace, seen: int) -> str:
    """How many of the first glimpses lie on what is to be recognised, in words."""
    hits = int(trace.hits[:seen].sum())
    return f"{hits} hit{'s' * (hits != 1)}"


def caption(text: str) -> np.ndarray:
    """A quiet line."""
    return label(text, SMALL, MUTED)


def header(traces: list[Trace], title: str, subtitle: str, width: int) -> np.ndarray:
    """The title, a quieter text, and what the colours stand for."""
    parts = [label(shorten(title, 30, width, 600), 30, weight=600)] if title else []
    parts += [paragraph(subtitle, width)] if subtitle else []
    return above([*parts, legend(width, any(trace.known for trace in traces))], 6)


def legend(width: int, known: bool) -> np.ndarray:
    """What the colours stand for, where a right answer is known or where none is."""
    answers = [("truth, hits", TRUTH), ("wrong", WRONG)] if known else [("answer", INK)]
    meanings: list[tuple[str, Colour]] = [
        ("fixations", PATH_COLOUR),
        ("the latest", WINDOW_COLOURS[0]),
        *answers,
        ("others", OTHER),
    ]
    return flow([beside([dot(colour, 8), caption(text)], 5, "centre") for text, colour in meanings], width, 18, 2)


def dot(colour: Colour = INK, radius: int = 8) -> np.ndarray:
    """A filled circle."""
    panel = blank(2 * radius + 3, 2 * radius + 3)
    centre = (radius + 1) * 16
    cv2.circle(panel, (centre, centre), radius * 16, colour, -1, cv2.LINE_AA, 4)
    return panel
