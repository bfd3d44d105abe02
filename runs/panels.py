"""The panels of an episode: the scene with the path of the gaze, what the retina saw, and the belief over classes."""

from __future__ import annotations

import cv2
import numpy as np

from glimpse_env.render import (
    OUTLINE,
    PATH_COLOUR,
    WINDOW_COLOURS,
    Colour,
    draw_dot,
    draw_saccades,
    draw_windows,
    gaze_points,
    magnification,
    show_canvas,
    window_colour,
)
from runs.layout import INK, MUTED, OTHER, TRACK, TRUTH, WRONG, above, blank, framed, label, shorten, text_width, write
from runs.traces import Trace

SHOWN = 10
"""Classes in a belief chart, at most."""

DOT = 8
"""Radius of a numbered fixation in pixels."""

LETTER = 12
"""Size of the small print in pixels."""


def scene_panel(trace: Trace, seen: int, frame: int, *, reveal: bool = False) -> np.ndarray:
    """The canvas, dimmed where no finest window has been, with the numbered path and the last glimpse's windows.

    Args:
        trace: the episode.
        seen: how many of its glimpses have been, at least 1.
        frame: the longer side in pixels, at most.
        reveal: show all of the canvas, and no windows.
    """
    path, shape = trace.path[:seen], trace.canvas.shape
    factor = magnification(shape, frame, shrink=True)
    picture = show_canvas(trace.canvas, factor, None if reveal else path, trace.retina)
    if not reveal:
        draw_windows(picture, trace.retina.windows((path[-1][0], path[-1][1]), (shape[0], shape[1])), factor)
    points = gaze_points(path, shape, factor)
    draw_saccades(picture, points)
    numbered = _uncovered(points)
    for step, point in enumerate(points):
        if not numbered[step]:
            draw_dot(picture, point, DOT / 3, PATH_COLOUR)
    for step, point in enumerate(points):
        if numbered[step]:
            draw_number(picture, step + 1, point, PATH_COLOUR if step < seen - 1 else WINDOW_COLOURS[0])
    return framed(picture, TRACK)


def _uncovered(points: np.ndarray) -> list[bool]:
    """Which dots have room for their number, the latest first."""
    kept: list[np.ndarray] = []
    result = []
    for point in points[::-1]:
        clear = all(np.hypot(*(point - other)) >= 1.9 * DOT for other in kept)
        kept += [point] if clear else []
        result.append(clear)
    return result[::-1]


def draw_number(picture: np.ndarray, number: int, point: np.ndarray, colour: Colour) -> None:
    """A numbered dot, moved into the picture where its edge would cut it."""
    limit = np.asarray(picture.shape[1::-1]) - DOT - 1
    x, y = np.clip(point, np.minimum(DOT + 1, limit), limit)
    draw_dot(picture, np.asarray([x, y]), DOT, colour)
    write(picture, str(number), x, y + 4, LETTER - 1, OUTLINE, 600, "centre")


def number_panel(number: int, *, last: bool) -> np.ndarray:
    """The dot of a fixation, alone."""
    panel = blank(2 * DOT + 4, 2 * DOT + 4)
    draw_number(panel, number, np.asarray([DOT + 2, DOT + 2]), WINDOW_COLOURS[0] if last else PATH_COLOUR)
    return panel


def patch_side(scales: int, height: int) -> int:
    """The side in pixels of patches that are stacked to about this height."""
    return int(np.clip(height // scales - 6, 56, 108))


def patches_panel(glimpse: np.ndarray, side: int) -> np.ndarray:
    """What the retina saw, (scales, C, height, width) in [0, 1], finest on top, each in its window's colour."""
    patches = []
    for scale, patch in enumerate(glimpse):
        pixels = np.round(patch.transpose(1, 2, 0) * 255).astype(np.uint8)
        picture = show_canvas(pixels, magnification(pixels.shape, side, shrink=True))
        patches.append(framed(picture, window_colour(scale), 2 if scale == 0 else 1))
    return above(patches, 6, "centre")


def shown_classes(trace: Trace) -> np.ndarray:
    """The classes that a chart shows, in order: those believed most at any time, and the truth."""
    peak = trace.beliefs.max(0).astype(np.float64)
    peak[trace.target] = np.inf
    return np.sort(np.argsort(-peak, kind="stable")[:SHOWN])


def belief_colours(trace: Trace, step: int) -> list[Colour]:
    """A colour for each class: the truth's, the top answer's where it is wrong, and that of all others."""
    answer = int(trace.beliefs[step].argmax())
    return [
        TRUTH if index == trace.target else WRONG if index == answer else OTHER for index in range(len(trace.names))
    ]


def belief_columns(trace: Trace, step: int, width: int, height: int = 48) -> np.ndarray:
    """The belief after a glimpse as upright bars with the classes' names below them and the answer below these.

    Args:
        trace: the episode.
        step: the glimpse, from 0.
        width: in pixels, from `belief_width`.
        height: of the bar that stands for 1.
    """
    shown, colours = shown_classes(trace), belief_colours(trace, step)
    pitch = width // len(shown)
    bars = blank(height, pitch * len(shown))
    names = [label(shorten(trace.names[index], LETTER - 1, 64), LETTER - 1, MUTED) for index in shown]
    upright = all(name.shape[1] <= pitch + 2 for name in names)
    names = names if upright else [np.rot90(name) for name in names]
    below = blank(max(name.shape[0] for name in names), bars.shape[1])
    for place, (index, name) in enumerate(zip(shown, names, strict=True)):
        left, belief = place * pitch, float(trace.beliefs[step, index])
        bars[:, left + 1 : left + pitch - 1] = TRACK
        bars[height - round(belief * height) :, left + 1 : left + pitch - 1] = colours[index]
        if colours[index] is not OTHER:
            name = np.where(name > 60, np.asarray(colours[index], np.uint8), name)
        start = max(0, left + (pitch - name.shape[1]) // 2)
        fits = name[:, : below.shape[1] - start]
        below[: fits.shape[0], start : start + fits.shape[1]] = fits
    answer = int(trace.beliefs[step].argmax())
    says = f"{shorten(trace.names[answer], LETTER + 1, width - 36, 600)}  {_percent(trace.beliefs[step, answer])}"
    return above([bars, below, label(says, LETTER + 1, colours[answer], 600)], 3, "centre")


def belief_width(trace: Trace) -> int:
    """The width in pixels of upright bars: wide enough for their names, upright or on their side."""
    shown = shown_classes(trace)
    widest = max(text_width(trace.names[index], LETTER - 1) for index in shown)
    return len(shown) * (8 if widest <= 8 else 15)


def belief_rows(trace: Trace, step: int, width: int, height: int) -> np.ndarray:
    """The belief after a glimpse as lying bars, with names to the left and percentages to the right."""
    shown, colours = shown_classes(trace), belief_colours(trace, step)
    pitch = height // len(shown)
    names = [shorten(trace.names[index], LETTER + 1, width // 3) for index in shown]
    left = max(text_width(name, LETTER + 1) for name in names) + 10
    right = width - text_width("100 %", LETTER + 1) - 8
    panel = blank(height, width)
    answer = int(trace.beliefs[step].argmax())
    for place, (index, name) in enumerate(zip(shown, names, strict=True)):
        top, belief = place * pitch, float(trace.beliefs[step, index])
        inset = max(2, pitch // 5)
        panel[top + inset : top + pitch - inset, left:right] = TRACK
        panel[top + inset : top + pitch - inset, left : left + round(belief * (right - left))] = colours[index]
        marked = colours[index] if colours[index] is not OTHER else MUTED
        base, weight = top + pitch / 2 + 5, 600 if index == answer else 400
        write(panel, name, left - 8, base, LETTER + 1, marked, weight, "end")
        write(panel, _percent(belief), width, base, LETTER + 1, INK if index == answer else MUTED, weight, "end")
    return panel


def _percent(share: float) -> str:
    return f"{100 * share:.0f} %"
