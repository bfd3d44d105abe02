"""The panels of an image's episode: the scene with the path of the gaze, glimpses, and the outcome."""

from __future__ import annotations

import numpy as np

from glimpse_env import render
from glimpse_env.render import OUTLINE, PATH_COLOUR, WINDOW_COLOURS, Colour
from runs.traces.belief_charts import percent
from runs.traces.layout import (
    GROUND,
    INK,
    LINE,
    MUTED,
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
)  # fmt: skip
from runs.traces.lettering import shorten, text_width, write
from runs.traces.trace import Trace
from runs.traces.weight_maps import lit

DOT = 14
"""Radius of a numbered fixation in pixels."""

RING = 6
"""Width of the ring around a hit, with the dot's outline, in pixels."""

PATCH, LEAST, GAP = 48, 12, 6
"""The longer side of a patch in pixels: at least, where there is room; and anywhere. And the space between patches."""


def scene_panel(trace: Trace, seen: int, room: tuple[int, int]) -> np.ndarray:
    """The canvas, dimmed and grey where no window has been, with the numbered path and the last glimpse's windows.

    So it is after `seen` glimpses, at least 1, within (height, width) pixels. What is to be recognised has a box with
    its name, and fixations in it a ring in the same colour.
    """
    assert trace.path is not None
    assert trace.canvas is not None
    assert trace.retina is not None
    path, shape = trace.path[:seen], trace.canvas.shape
    factor = render.magnification(shape, room)
    picture = render.show_canvas(trace.canvas, factor, path, trace.retina)
    windows = trace.retina.windows((path[-1][0], path[-1][1]), (shape[0], shape[1]))
    render.draw_windows(picture, windows, factor, LINE)
    if trace.box is not None:
        for box in np.atleast_2d(trace.box):
            render.draw_box(picture, box.tolist(), factor, TRUTH, LINE)
        if trace.box.ndim == 1:  # of several things, the answer's name is of none of them
            _write_name(picture, trace.name(trace.label), trace.box * factor)
    points = render.gaze_points(path, shape, factor)
    render.draw_saccades(picture, points, LINE)
    numbered = _uncovered(points)
    for step in sorted(set(range(seen)) - set(numbered)):
        render.draw_dot(picture, points[step], DOT / 3, PATH_COLOUR)
    for step in numbered:
        colour = PATH_COLOUR if step < seen - 1 else WINDOW_COLOURS[0]
        draw_number(picture, step + 1, points[step], colour, hit=bool(trace.hits[step]))
    return framed(picture, 1, TRACK)


def _write_name(picture: np.ndarray, name: str, box: np.ndarray) -> None:
    """A name on a ground of its own above a box, or below it where there is no room, within the picture."""
    height, width = picture.shape[:2]
    text = shorten(name, SMALL, width - 12, 600)
    tag = blank(SMALL + 6, min(width, text_width(text, SMALL, 600) + 12), TRUTH)
    write(tag, text, 6, SMALL, SMALL, GROUND, 600)
    top = box[1] - len(tag) if box[1] >= len(tag) else box[3]
    left, top = (
        int(np.clip(at, 0, max(0, most))) for at, most in ((box[0], width - tag.shape[1]), (top, height - len(tag)))
    )
    picture[top : top + len(tag), left : left + tag.shape[1]] = tag[: height - top]


def _uncovered(points: np.ndarray) -> list[int]:
    """The dots that have room for their numbers; the latest take it first."""
    kept: list[int] = []
    for step in reversed(range(len(points))):
        if all(np.hypot(*(points[step] - points[other])) >= 1.9 * DOT for other in kept):
            kept.append(step)
    return kept[::-1]


def draw_number(picture: np.ndarray, number: int, point: np.ndarray, colour: Colour, *, hit: bool = False) -> None:
    """A numbered dot, moved into the picture where its edge would cut it; a hit has a ring in the truth's colour."""
    radius = DOT + RING * hit
    limit = np.asarray(picture.shape[1::-1]) - radius - 1
    place = np.clip(point, np.minimum(radius + 1, limit), limit)
    if hit:
        render.draw_dot(picture, place, radius, TRUTH)
    render.draw_dot(picture, place, DOT, colour)
    write(picture, str(number), place[0], place[1] + 0.34 * SMALL, SMALL, OUTLINE, 600, "centre")


def number_panel(trace: Trace, step: int) -> np.ndarray:
    """The dot of a fixation, alone."""
    side = DOT + RING + 2
    panel, last = blank(2 * side, 2 * side), step == len(trace.seen) - 1
    colour = WINDOW_COLOURS[0] if last else PATH_COLOUR
    draw_number(panel, step + 1, np.asarray([side, side]), colour, hit=bool(trace.hits[step]))
    return panel


def patches_panel(glimpse: np.ndarray, height: int, width: int = 110) -> np.ndarray:
    """What the retina saw, (scales, C, height, width) in [0, 1], finest on top, each in its window's colour.

    Patches are stacked, in several columns where they are many and there is room, each as large as there is room for
    within (height, width) pixels. More than that is taken only where they would be smaller than `LEAST`.
    """
    room = PATCH + 2 * LINE + GAP
    columns = min(max(1, width // room), -(-len(glimpse) // max(1, height // room)))
    rows = -(-len(glimpse) // columns)
    side = max(LEAST, min(height // rows, width // columns) - GAP - 2 * LINE)
    patches = [_patch(patch, scale, side) for scale, patch in enumerate(glimpse)]
    return beside([above(patches[first : first + rows], GAP, "centre") for first in range(0, len(patches), rows)], GAP)


def _patch(patch: np.ndarray, scale: int, side: int) -> np.ndarray:
    """A patch (C, height, width) of a scale, its longer side `side` pixels, in its window's colour."""
    pixels = np.round(patch.transpose(1, 2, 0) * 255).astype(np.uint8)
    picture = render.resized(pixels, side / max(pixels.shape[:2]), smooth=1)
    return framed(picture, LINE, render.window_colour(scale))


def glimpses_panel(trace: Trace, title: str) -> np.ndarray:
    """The finest patches one by one, each with how much of it was recalled for the last answer, hop by hop."""
    columns, recalled = [], trace.recalled
    for step, glimpse in enumerate(trace.seen):
        patch = _patch(glimpse[0], 0, 64)
        hops = [blank(20, patch.shape[1], lit(float(weights[step]))) for weights in recalled]
        columns.append(above([number_panel(trace, step), patch, *hops], 6, "centre"))
    legend = "glimpses" + (", and how much each hop recalled of it at the end" if len(recalled) else "")
    room = WIDTH - 40
    parts = [label(title, TEXT, weight=600), label(legend, SMALL, MUTED), flow(columns, room, 8, 12)]
    return above([*parts, outcome_line(trace)], 8)


def outcome_line(trace: Trace, width: int = WIDTH - 40) -> np.ndarray:
    """The question, the last answer with a tick, or with a cross and the truth; alone where no truth is known."""
    answer, colour = trace.name(int(trace.answer[-1])), outcome_colour(trace)
    parts = [label(trace.question, SMALL)] if trace.question else []
    says = shorten(answer, SMALL, width // 2 - 110, 600)
    parts += [mark(trace.correct, SMALL)] if trace.known else []
    parts += [label(f"{says}  ({percent(trace.beliefs[-1].max())})", SMALL, colour, 600)]
    if trace.known and not trace.correct:
        truth = shorten(trace.name(trace.label), SMALL, width // 2 - 110)
        parts.append(label(f"it is {truth}", SMALL, INK))
    return flow(parts, width, 12, 4)


def outcome_colour(trace: Trace) -> Colour:
    """Of the last answer."""
    return (TRUTH if trace.correct else WRONG) if trace.known else INK
