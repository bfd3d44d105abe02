"""Episodes as an animation, glimpse by glimpse, that is readable in TensorBoard's cards."""

from __future__ import annotations

import math

import numpy as np

from runs.traces.belief_charts import ROW, belief_rows
from runs.traces.contact_sheet import MARGIN, caption, dot, header, hits_of
from runs.traces.encoding import encode_apng, within
from runs.traces.layout import INK, SMALL, TRACK, WIDTH, above, beside, blank, framed, grid, label
from runs.traces.lettering import shorten
from runs.traces.panels import outcome_line, patches_panel, scene_panel
from runs.traces.trace import Trace

GLIMPSE, OUTCOME = 800, 2500
"""Milliseconds for which an animation shows a glimpse, and the outcome before it begins again."""

SCENE, WIDE, SIDE = 340, 560, 124
"""Pixels of a tile's height below its first line; of the width of a scene too wide for the belief beside it; and of the
patches' width. A single episode is 429 pixels high: half of that is what a card shows at first."""


def animation(traces: list[Trace], title: str = "", subtitle: str = "", *, limit: float = math.inf) -> bytes:
    """Episodes side by side, a frame for each glimpse and one for the outcome, as an APNG that repeats for ever.

    Shorter episodes wait for the longest. What would take more than `limit` bytes is made smaller, and then has fewer
    colours.
    """
    frames = animation_frames(traces, title, subtitle)
    durations = [GLIMPSE] * (len(frames) - 1) + [OUTCOME]
    return within(limit, lambda shown: encode_apng(shown, durations), frames)


def animation_frames(traces: list[Trace], title: str = "", subtitle: str = "") -> list[np.ndarray]:
    """The frames of `animation`, (height, width, 3) uint8 RGB: each episode's tile is `WIDTH` wide with its margin."""
    steps = max(len(trace.seen) for trace in traces)
    across = 1 if len(traces) == 1 else 2 if len(traces) <= 6 else 3
    frames = []
    for step in range(steps + 1):
        tiles = [tile(trace, min(step, len(trace.seen) - 1), reveal=step == steps) for trace in traces]
        tiled = grid(tiles, across, 2 * MARGIN, 30)
        heading = [header(traces, title, subtitle, tiled.shape[1])] if title or subtitle else []
        frames.append(above([*heading, tiled], 18))
    size = [max(edges) for edges in zip(*(frame.shape[:2] for frame in frames), strict=True)]
    filled = [above([beside([frame, blank(size[0], 0)]), blank(0, size[1])]) for frame in frames]
    return [framed(frame, MARGIN) for frame in filled]


def tile(trace: Trace, step: int, *, reveal: bool = False) -> np.ndarray:
    """One episode of an animation after glimpse `step`, or its outcome. A wide scene has the belief below it."""
    assert trace.canvas is not None
    inner, (rows, columns) = WIDTH - 2 * MARGIN, trace.canvas.shape[:2]
    wide = columns > 1.25 * rows
    height = SCENE - ROW - 12 if wide else SCENE
    scene = scene_panel(trace, step + 1, (height, WIDE if wide else SCENE))
    patches = patches_panel(trace.seen[step], height, inner - WIDE - 12 if wide else SIDE)
    seen = beside([scene, patches], 12)
    if wide:
        shown = above([seen, belief_rows(trace, step, ROW, inner)], 12)
    else:
        shown = beside([seen, belief_rows(trace, step, SCENE, max(150, inner - seen.shape[1] - 16))], 16)
    return above([outcome_line(trace, inner) if reveal else clock(trace, step), shown, blank(0, inner)], 10)


def clock(trace: Trace, step: int) -> np.ndarray:
    """Which episode and glimpse this is, and the hits so far."""
    steps = len(trace.seen)
    parts = [caption(shorten(trace.caption, SMALL, 200)), label(f"glimpse {step + 1} of {steps}", SMALL)]
    parts += [beside([dot(INK if done <= step else TRACK, 5) for done in range(steps)], 4)] if steps <= 12 else []
    parts += [caption(hits_of(trace, step + 1))] if trace.box is not None else []
    return beside(parts, 16, "centre")
