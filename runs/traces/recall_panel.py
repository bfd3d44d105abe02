"""The picture of a walk: what was recalled at each question, as it was seen and as bright as its read weight."""

from __future__ import annotations

import numpy as np

from glimpse_env import render
from runs.traces.belief_charts import percent
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
    blank,
    flow,
    framed,
    label,
    mark,
    paragraph,
)  # fmt: skip
from runs.traces.recall import Walk, by_canvas, overwritten
from runs.traces.trace import Trace
from runs.traces.weights import over_steps

INNER = WIDTH - 40
"""Pixels across that panels may take."""

ACROSS = 6
"""Pictures in a row, at most."""

FRAME = 4
"""Pixels around a picture: in the truth's colour where the answer rests on it."""

QUESTIONS = 3
"""Of an episode that are drawn, at most: the last."""

DIM = 0.2
"""Brightness of what was not recalled at all."""


def recall_panel(trace: Trace, title: str) -> np.ndarray:
    """One episode: the pictures with the path of the gaze, and below each question what each hop recalled of them."""
    walk = trace.walk
    assert walk is not None
    parts = [label(title, TEXT, weight=600), seen_row(trace)]
    first = max(0, len(walk.asked) - QUESTIONS)
    if first:
        parts.append(label(f"the last {QUESTIONS} of {len(walk.asked)} questions", SMALL, MUTED))
    for number in range(first, len(walk.asked)):
        parts.append(question_line(trace, number))
        weights = recalled_at(trace, number)
        for hop, shares in enumerate(weights, 1):
            name = f"recalled, hop {hop}" if len(weights) > 1 else "recalled"
            parts += [label(name, SMALL, MUTED), pictures_row(trace, shares, number)]
    return above(parts, 10)


def recall_sheet(traces: list[Trace], title: str, subtitle: str, width: int = WIDTH) -> np.ndarray:
    """Several episodes, one above the other. Their pictures have one width, whatever `width` there is."""
    heads = [label(title, 30, weight=600)] if title else []
    heads += [paragraph(subtitle, INNER)] if subtitle else []
    panels = [recall_panel(trace, trace.caption) for trace in traces]
    ruled = [part for panel in panels for part in (blank(2, INNER, TRACK), panel)][1:]
    return framed(above([*heads, *ruled], 18), 20)


def recalled_at(trace: Trace, number: int) -> np.ndarray:
    """(hops, pictures) the read weight that each picture got at this question; (0, pictures) without a memory of
    steps, or of those that were overwritten since."""
    walk = trace.walk
    assert walk is not None
    step = int(walk.asked[number])
    if trace.read is None or trace.step is None or overwritten(len(trace.step), step, len(walk.shown)):
        return np.zeros((0, walk.pictures))
    weights = over_steps(trace.read[step][None], trace.step[None], len(walk.shown))[0]
    return by_canvas(weights, walk.shown, len(walk.canvases))[:, : walk.pictures]


def seen_row(trace: Trace) -> np.ndarray:
    """All pictures as they were seen, with their numbers, the path of the gaze, and how much of each look was
    written."""
    walk = trace.walk
    assert walk is not None
    panels = []
    for number in range(walk.pictures):
        parts = [thumbnail(trace, number, path=True)]
        if trace.gate is not None:
            parts.append(gate_bars(trace.gate[walk.shown == number], width(walk)))
        panels.append(above([label(walk.label(number), SMALL, MUTED), *parts], 4, "centre"))
    note = "as seen" + (", and below how much of each look was written" if trace.gate is not None else "")
    return above([label(note, SMALL, MUTED), flow(panels, INNER, 8, 8)], 4)


def pictures_row(trace: Trace, shares: np.ndarray, number: int) -> np.ndarray:
    """The pictures, each as bright as its share of the read weight, which is written below it."""
    walk = trace.walk
    assert walk is not None
    panels = []
    for picture, share in enumerate(shares.tolist()):
        right = walk.support is not None and bool(walk.support[number, picture])
        shown = thumbnail(trace, picture, brightness=DIM + (1 - DIM) * min(share, 1.0) ** 0.5, right=right)
        panels.append(above([shown, label(percent(share), SMALL, INK if share >= 0.1 else MUTED)], 2, "centre"))
    rest = 1 - float(shares.sum())
    panels += [label(f"elsewhere {percent(rest)}", SMALL, MUTED)] if rest >= 0.005 else []
    return flow(panels, INNER, 8, 8)


def width(walk: Walk) -> int:
    """Of a picture in pixels."""
    return (INNER - 8 * (ACROSS - 1)) // min(ACROSS, max(3, walk.pictures)) - 2 * FRAME


def thumbnail(
    trace: Trace, number: int, *, path: bool = False, brightness: float = 1.0, right: bool = False
) -> np.ndarray:
    """A picture, dimmed where no window has been; in a frame of the truth's colour where it is `right`."""
    walk = trace.walk
    assert walk is not None
    assert trace.retina is not None
    assert trace.path is not None
    canvas = walk.canvases[number]
    factor = width(walk) / max(canvas.shape[:2])
    fixations = trace.path[walk.shown == number]
    picture = render.show_canvas(canvas, factor, fixations, trace.retina)
    if path:
        points = render.gaze_points(fixations, canvas.shape, factor)
        render.draw_saccades(picture, points, 2)
        for point in points:
            render.draw_dot(picture, point, 4, render.PATH_COLOUR)
    picture = np.round(picture * brightness).astype(np.uint8)
    return framed(picture, FRAME, TRUTH if right else TRACK)


def gate_bars(gate: np.ndarray, across: int) -> np.ndarray:
    """How much of each look (G,) in [0, 1] was written, as bars."""
    pitch, panel = across / max(1, len(gate)), blank(24, across, TRACK)
    for number, value in enumerate(gate.tolist()):
        panel[24 - round(24 * min(value, 1.0)) :, round(number * pitch) : round((number + 1) * pitch) - 2] = OTHER
    return panel


def question_line(trace: Trace, number: int) -> np.ndarray:
    """What a question shows and says, its answer with a tick, or with a cross and the truth."""
    walk = trace.walk
    assert walk is not None
    answer, target = int(trace.answer[number]), int(trace.target[number])
    correct = answer == target
    asked = int(walk.shown[walk.asked[number]])
    parts = [thumbnail(trace, asked, path=True)] if walk.canvases[asked].any() else []
    parts += [label(walk.questions[number] + "?", SMALL, weight=600)] if walk.questions[number] else []
    parts += [mark(correct, SMALL), label(trace.name(answer), SMALL, TRUTH if correct else WRONG, 600)]
    if not correct:
        parts.append(label(f"it is {trace.name(target)}", SMALL))
    return flow(parts, INNER, 12, 4)
