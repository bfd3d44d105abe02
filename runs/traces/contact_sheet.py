"""Pictures of episodes: a contact sheet, and an animation, glimpse by glimpse."""

from __future__ import annotations

import math

import cv2
import numpy as np

from glimpse_env.render import PATH_COLOUR, WINDOW_COLOURS, Colour
from runs.traces.encoding import encode_apng, within
from runs.traces.layout import INK, MUTED, OTHER, TRACK, TRUTH, WRONG, above, beside, blank, framed, grid, label, mark
from runs.traces.lettering import shorten
from runs.traces.panels import belief_columns, belief_rows, number_panel, patches_panel, scene_panel
from runs.traces.trace import Trace

FRAME, CELL = 300, 252
"""The longer side of a scene in a contact sheet, and in an animation, in pixels."""

CHART = 210
"""The width of a belief chart in an animation, in pixels."""

MARGIN = 30
"""Pixels around a picture."""

GLIMPSE, OUTCOME = 800, 2500
"""Milliseconds for which an animation shows a glimpse, and the outcome before it begins again."""


def contact_sheet(traces: list[Trace], title: str = "", subtitle: str = "") -> np.ndarray:
    """Episodes, one at least, from top to bottom; their glimpses from left to right, each with the belief it led to."""
    rows = [sheet_row(trace) for trace in traces]
    width = max(row.shape[1] for row in rows)
    ruled = [part for row in rows for part in (blank(1, width, TRACK), row)][1:]
    return framed(above([_header(traces, title, subtitle, width), *ruled], 22), MARGIN)


def sheet_row(trace: Trace) -> np.ndarray:
    """One episode of a contact sheet."""
    steps = len(trace.seen)
    scene = above([_caption(trace.caption), scene_panel(trace, steps, FRAME)], 6)
    columns = []
    for step in range(steps):
        patches = patches_panel(trace.seen[step])
        number = number_panel(step + 1, last=step == steps - 1)
        beliefs = belief_columns(trace, step, max(80, patches.shape[1]))
        columns.append(above([number, patches, blank(4, 1), beliefs], 6, "centre"))
    return beside([scene, beside(columns, 18), _outcome(trace)], 28)


def animation(traces: list[Trace], title: str = "", subtitle: str = "", *, limit: float = math.inf) -> bytes:
    """Episodes side by side, a frame for each glimpse and one for the outcome, as an APNG that repeats for ever.

    Shorter episodes wait for the longest. What would take more than `limit` bytes is drawn in fewer colours, and then
    smaller.
    """
    frames = animation_frames(traces, title, subtitle)
    durations = [GLIMPSE] * (len(frames) - 1) + [OUTCOME]
    return within(limit, lambda shown: encode_apng(shown, durations), frames)


def animation_frames(traces: list[Trace], title: str = "", subtitle: str = "") -> list[np.ndarray]:
    """The frames of `animation`, (height, width, 3) uint8 RGB."""
    steps = max(len(trace.seen) for trace in traces)
    across = 1 if len(traces) == 1 else 2 if len(traces) <= 6 else 3
    frames = []
    for step in range(steps + 1):
        tiles = [tile(trace, min(step, len(trace.seen) - 1), reveal=step == steps) for trace in traces]
        tiled = grid(tiles, across, 48, 30)
        right = [trace.correct for trace in traces if trace.known]
        outcome = f"{sum(right)} of {len(right)} right" if right else ""
        state = f"glimpse {step + 1} of {steps}" if step < steps else outcome
        dots = [dot(INK if done <= step else TRACK, 4) for done in range(steps)]
        clock = beside([*dots, blank(1, 4), label(state, 14)], 5, "centre")
        frames.append(above([_header(traces, title, subtitle, tiled.shape[1]), clock, tiled], 18))
    width = max(frame.shape[1] for frame in frames)
    margin = MARGIN if title or subtitle else MARGIN // 2
    return [framed(above([frame, blank(0, width)]), margin) for frame in frames]


def tile(trace: Trace, step: int, *, reveal: bool = False) -> np.ndarray:
    """One episode of an animation after glimpse `step`; with `reveal`, its outcome."""
    scene = scene_panel(trace, step + 1, CELL, reveal=reveal)
    patches = patches_panel(trace.seen[step])
    beliefs = belief_rows(trace, step, CHART, max(scene.shape[0], patches.shape[0]))
    captions = [_caption(trace.caption), _caption("sees")]
    captions.append(_outcome_caption(trace) if reveal else _caption("believes"))
    return beside([above(list(pair), 6) for pair in zip(captions, (scene, patches, beliefs), strict=True)], 16)


def _caption(text: str) -> np.ndarray:
    """A quiet line, as high as `number_panel`."""
    return label(text, 13, MUTED)


def _outcome_caption(trace: Trace) -> np.ndarray:
    """The last answer with a tick, or with a cross and the truth, as high as a caption; alone without a truth."""
    name = shorten(trace.name(int(trace.answer[-1])), 13, 70, 600)
    if not trace.known:
        return label(name, 13, INK, 600)
    parts = [label(name, 13, TRUTH if trace.correct else WRONG, 600), mark(trace.correct, 14)]
    if not trace.correct:
        parts.append(_caption(f"it is {shorten(trace.name(trace.label), 13, 70)}"))
    return beside(parts, 6, "centre")


def _outcome(trace: Trace) -> np.ndarray:
    """What the agent answered, and where that is known whether it is right, and what it was."""
    answer, truth = trace.name(int(trace.answer[-1])), trace.name(trace.label) if trace.known else ""
    size = 44 if max(len(answer), len(truth)) <= 2 else 18
    if not trace.known:
        return above([_caption("answer"), label(shorten(answer, size, 140, 600), size, INK, 600)], 2)
    said = label(shorten(answer, size, 140, 600), size, TRUTH if trace.correct else WRONG, 600)
    marked = beside([said, mark(trace.correct, 22)], 10, "centre")
    true = label(shorten(truth, size, 140, 600), size, weight=600)
    return above([_caption("answer"), marked, blank(10, 120), _caption("truth"), true], 2)


def _header(traces: list[Trace], title: str, subtitle: str, width: int) -> np.ndarray:
    legend = _legend(any(trace.known for trace in traces))
    if not title and not subtitle:
        return legend
    heading = label(title, 24, weight=600)
    space = blank(1, max(24, width - heading.shape[1] - legend.shape[1]))
    return above([beside([heading, space, legend], 0, "centre"), label(subtitle, 14, MUTED)], 4)


def _legend(known: bool) -> np.ndarray:
    """What the colours stand for, where a right answer is known or where none is."""
    answers = [("truth", TRUTH), ("wrong answer", WRONG)] if known else [("answer", INK)]
    meanings: list[tuple[str, Colour]] = [
        ("fixations", PATH_COLOUR),
        ("latest fixation", WINDOW_COLOURS[0]),
        *answers,
        ("other classes", OTHER),
    ]
    return beside([beside([dot(colour, 5), _caption(text)], 5, "centre") for text, colour in meanings], 18, "centre")


def dot(colour: Colour, radius: int) -> np.ndarray:
    """A filled circle."""
    panel = blank(2 * radius + 3, 2 * radius + 3)
    centre = (radius + 1) * 16
    cv2.circle(panel, (centre, centre), radius * 16, colour, -1, cv2.LINE_AA, 4)
    return panel
