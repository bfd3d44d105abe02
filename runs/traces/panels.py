"""The panels of an image's episode: the scene with the path of the gaze, glimpses, and the belief over classes."""

from __future__ import annotations

import numpy as np

from glimpse_env import render
from glimpse_env.render import OUTLINE, PATH_COLOUR, WINDOW_COLOURS, Colour
from runs.traces.layout import INK, MUTED, OTHER, TRACK, TRUTH, WRONG, above, beside, blank, framed, label, mark
from runs.traces.lettering import shorten, text_width, write
from runs.traces.trace import Trace
from runs.traces.weight_maps import lit

SHOWN = 10
"""Classes in a belief chart, at most."""

DOT = 8
"""Radius of a numbered fixation in pixels."""

LETTER = 12
"""Size of the small print in pixels."""


def scene_panel(trace: Trace, seen: int, frame: int, *, reveal: bool = False) -> np.ndarray:
    """The canvas, dimmed where no finest window has been, with the numbered path and the last glimpse's windows.

    So it is after `seen` glimpses, at least 1. Its longer side has `frame` pixels at most. With `reveal`, all of the
    canvas is shown, and no windows.
    """
    assert trace.path is not None
    assert trace.canvas is not None
    assert trace.retina is not None
    path, shape = trace.path[:seen], trace.canvas.shape
    factor = render.magnification(shape, frame, shrink=True)
    picture = render.show_canvas(trace.canvas, factor, None if reveal else path, trace.retina)
    if not reveal:
        render.draw_windows(picture, trace.retina.windows((path[-1][0], path[-1][1]), (shape[0], shape[1])), factor)
    points = render.gaze_points(path, shape, factor)
    render.draw_saccades(picture, points)
    numbered = _uncovered(points)
    for step in sorted(set(range(seen)) - set(numbered)):
        render.draw_dot(picture, points[step], DOT / 3, PATH_COLOUR)
    for step in numbered:
        draw_number(picture, step + 1, points[step], PATH_COLOUR if step < seen - 1 else WINDOW_COLOURS[0])
    return framed(picture, 1, TRACK)


def _uncovered(points: np.ndarray) -> list[int]:
    """The dots that have room for their numbers; the latest take it first."""
    kept: list[int] = []
    for step in reversed(range(len(points))):
        if all(np.hypot(*(points[step] - points[other])) >= 1.9 * DOT for other in kept):
            kept.append(step)
    return kept[::-1]


def draw_number(picture: np.ndarray, number: int, point: np.ndarray, colour: Colour) -> None:
    """A numbered dot, moved into the picture where its edge would cut it."""
    limit = np.asarray(picture.shape[1::-1]) - DOT - 1
    x, y = np.clip(point, np.minimum(DOT + 1, limit), limit)
    render.draw_dot(picture, np.asarray([x, y]), DOT, colour)
    write(picture, str(number), x, y + 4, LETTER - 1, OUTLINE, 600, "centre")


def number_panel(number: int, *, last: bool) -> np.ndarray:
    """The dot of a fixation, alone."""
    panel = blank(2 * DOT + 4, 2 * DOT + 4)
    draw_number(panel, number, np.asarray([DOT + 2, DOT + 2]), WINDOW_COLOURS[0] if last else PATH_COLOUR)
    return panel


def patches_panel(glimpse: np.ndarray, height: int = 264) -> np.ndarray:
    """What the retina saw, (scales, C, height, width) in [0, 1], finest on top, each in its window's colour.

    Patches are enlarged by a whole factor to a stack that is `height` pixels high at most, or as their number needs.
    """
    side = int(np.clip(height // len(glimpse) - 6, 24, 108))
    return above([_patch(patch, scale, side, 1 + (scale == 0)) for scale, patch in enumerate(glimpse)], 6, "centre")


def _patch(patch: np.ndarray, scale: int, side: int, border: int) -> np.ndarray:
    """A patch (C, height, width) of a scale, its longer side about `side` pixels, in its window's colour."""
    pixels = np.round(patch.transpose(1, 2, 0) * 255).astype(np.uint8)
    picture = render.show_canvas(pixels, render.magnification(pixels.shape, side, shrink=True))
    return framed(picture, border, render.window_colour(scale))


def glimpses_panel(trace: Trace, title: str) -> np.ndarray:
    """The finest patches one by one, each with how much of it was recalled for the last answer, hop by hop."""
    columns, recalled = [], trace.recalled
    for step, glimpse in enumerate(trace.seen):
        patch = _patch(glimpse[0], 0, 60, 1)
        hops = [blank(14, patch.shape[1], lit(float(weights[step]))) for weights in recalled]
        columns.append(above([number_panel(step + 1, last=step == len(trace.seen) - 1), patch, *hops], 6, "centre"))
    legend = "glimpses" + (", and how much each hop recalled of it at the end" if len(recalled) else "")
    parts = [label(title, 15, weight=600), label(legend, 12, MUTED), beside(columns, 10), outcome_line(trace)]
    return above(parts, 8)


def outcome_line(trace: Trace) -> np.ndarray:
    """The question, the last answer with a tick, or with a cross and the truth."""
    answer, colour = trace.name(int(trace.answer[-1])), TRUTH if trace.correct else WRONG
    parts = [label(trace.question, 14)] if trace.question else []
    parts += [mark(trace.correct), label(f"{answer}  ({percent(trace.beliefs[-1].max())})", 14, colour)]
    if not trace.correct:
        parts.append(label(f"it is {trace.name(trace.label)}", 14, MUTED))
    return beside(parts, 12, "centre")


def shown_classes(trace: Trace) -> np.ndarray:
    """The classes that a chart shows, in order: those believed most at any time, and the truth where it is known."""
    peak = trace.beliefs.max(0).astype(np.float64)
    if trace.known:
        peak[trace.label] = np.inf
    return np.sort(np.argsort(-peak, kind="stable")[:SHOWN])


def belief_colours(trace: Trace, step: int) -> list[Colour]:
    """A colour for each class: the truth's, the top answer's where it is another, and that of all others."""
    colours: list[Colour] = [OTHER] * len(trace.names)
    colours[int(trace.beliefs[step].argmax())] = WRONG if trace.known else INK
    if trace.known:
        colours[trace.label] = TRUTH
    return colours


def belief_columns(trace: Trace, step: int, width: int, height: int = 48) -> np.ndarray:
    """The belief after a glimpse as upright bars, the names of the classes below, and the answer below these.

    It is about `width` pixels wide: the bars take what their names need. A bar that stands for 1 is `height` high.
    """
    shown, colours = shown_classes(trace), belief_colours(trace, step)
    names = [_class_label(trace, index, colours[index]) for index in shown]
    pitch = max(8, width // len(shown))
    if max(name.shape[1] for name in names) > pitch + 2:
        names, pitch = [np.rot90(name) for name in names], max(14, pitch)
    bars = []
    for index, name in zip(shown, names, strict=True):
        bar = blank(height, pitch)
        bar[:, 1:-1] = TRACK
        bar[height - round(float(trace.beliefs[step, index]) * height) :, 1:-1] = colours[index]
        surplus = max(0, name.shape[1] - pitch)
        bars.append(above([bar, name[:, surplus // 2 : surplus // 2 + pitch]], 3, "centre"))
    answer = int(trace.beliefs[step].argmax())
    says = [label(percent(trace.beliefs[step, answer]), LETTER + 1, MUTED)]
    name = label(trace.names[answer], LETTER + 1, colours[answer], 600)
    if name.shape[1] + 4 + says[0].shape[1] <= pitch * len(shown):
        says.insert(0, name)
    return above([beside(bars), beside(says, 4)], 3, "centre")


def _class_label(trace: Trace, index: int, colour: Colour) -> np.ndarray:
    name = shorten(trace.names[index], LETTER - 1, 64)
    return label(name, LETTER - 1, MUTED if colour == OTHER else colour)


def belief_rows(trace: Trace, step: int, width: int, height: int) -> np.ndarray:
    """The belief after a glimpse as lying bars, with names to the left and percentages to the right."""
    shown, colours = shown_classes(trace), belief_colours(trace, step)
    answer = int(trace.beliefs[step].argmax())
    size, pitch = LETTER + 1, min(36, height // len(shown))
    names = [shorten(trace.names[index], size, 2 * width // 5, 600) for index in shown]
    left = max(text_width(name, size, 600) for name in names) + 10
    right = width - text_width("100 %", size, 600) - 6
    panel = blank(height, width)
    for place, (index, name) in enumerate(zip(shown, names, strict=True)):
        belief, inset = float(trace.beliefs[step, index]), max(2, pitch // 5)
        bar = panel[place * pitch + inset : (place + 1) * pitch - inset]
        bar[:, left:right] = TRACK
        bar[:, left : left + round(belief * (right - left))] = colours[index]
        base, weight = (place + 0.5) * pitch + 5, 600 if index == answer else 400
        write(panel, name, left - 8, base, size, MUTED if colours[index] == OTHER else colours[index], weight, "end")
        if belief >= 0.005:
            write(panel, percent(belief), width, base, size, INK if index == answer else MUTED, weight, "end")
    return panel


def percent(share: float) -> str:
    """A share in words."""
    return f"{100 * share:.0f} %"
