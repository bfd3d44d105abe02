"""Heat maps of a memory's weights over time, with axes: what was written where, what was read, hop by hop."""

from __future__ import annotations

import cv2
import numpy as np

from runs.traces.layout import (
    GROUND,
    MUTED,
    OTHER,
    SMALL,
    TEXT,
    TRACK,
    WIDTH,
    above,
    beside,
    blank,
    flow,
    framed,
    label,
)  # fmt: skip
from runs.traces.lettering import text_width, write
from runs.traces.trace import Trace

LIT = np.array([255, 190, 70])
"""What attention lights with: full at weight 1."""

WIDE, HIGH = 264, 240
"""Width of a map in pixels, about, and its height, at most: two have room side by side."""

FAINT = 0.01
"""Slots beyond the last that got this much weight are not drawn."""


def lit(weight: float) -> tuple[int, int, int]:
    """The ground, as far as weight in [0, 1] lights it; small weights are raised so that they can be seen."""
    share = float(np.clip(weight, 0, 1)) ** 0.5
    colour = (1 - share) * np.array(GROUND) + share * 0.75 * LIT
    return tuple(int(value) for value in colour)  # type: ignore[return-value]


def heat(weights: np.ndarray, height: int, width: int) -> np.ndarray:
    """Weights (T, S) as a map, steps from left to right and slots from top to bottom."""
    cells = np.array([[lit(weight) for weight in row] for row in np.clip(weights.T, 0, 1)], np.uint8)
    return cv2.resize(cells, (width, height), interpolation=cv2.INTER_NEAREST)


def weight_map(weights: np.ndarray, title: str, across: str) -> np.ndarray:
    """Weights (T, S) in [0, 1] as a map with numbered axes, both from 1."""
    steps, slots = weights.shape
    pitch = float(np.clip(HIGH / slots, 1, 24))
    picture = heat(weights, round(pitch * slots), round(pitch_of(steps) * steps))
    names = [(str(number), (number - 0.5) * pitch + 6) for number in ticks(slots, len(picture) / 22)]
    panel = with_axes(picture, steps, names, str(slots), outlined=True)
    return above([label(title, TEXT), label(f"slot (down) by {across} (across)", SMALL, MUTED), panel], 3)


def gate_chart(gate: np.ndarray, across: str) -> np.ndarray:
    """A write gate (T,) in [0, 1] as bars over time."""
    steps, height = len(gate), 80
    pitch = pitch_of(steps)
    picture = blank(height, round(pitch * steps), TRACK)
    for step, value in enumerate(gate):
        start, end = round(step * pitch), max(round((step + 1) * pitch) - (pitch > 3), 1)
        picture[height - round(height * float(np.clip(value, 0, 1))) :, start:end] = OTHER
    panel = with_axes(picture, steps, [("100 %", 14), ("0", height)], "100 %")
    return above([label("write gate", TEXT), label(f"how much of each {across} was written", SMALL, MUTED), panel], 3)


def pitch_of(steps: int) -> float:
    """Pixels of a step across."""
    return float(np.clip(WIDE / steps, 1, 40))


def with_axes(
    picture: np.ndarray, steps: int, names: list[tuple[str, float]], widest: str, *, outlined: bool = False
) -> np.ndarray:
    """A picture of this many steps, numbered below, and with names at these heights to its left."""
    height, width = picture.shape[:2]
    left = text_width(widest, SMALL) + 8
    panel = blank(height + 26, left + max(width, 80) + 8)
    panel[:height, left : left + width] = picture
    if outlined:
        cv2.rectangle(panel, (left - 1, 0), (left + width, height), TRACK, 1)
    for name, y in names:
        write(panel, name, left - 5, max(y, 14), SMALL, MUTED, align="end")
    for number in ticks(steps, width / 34):
        write(panel, str(number), left + (number - 0.5) * pitch_of(steps), height + 20, SMALL, MUTED, align="centre")
    return panel


def ticks(count: int, room: float) -> list[int]:
    """1 and round numbers up to `count`, about `room` of them."""
    gaps = (1, 2, 5, 10, 20, 50, 100, 200, 500)
    gap = next((gap for gap in gaps if count / gap <= max(2.0, room)), 1000)
    return [*range(1, count + 1, 2)] if gap == 2 else sorted({1, *range(gap, count + 1, gap)})


def colour_bar() -> np.ndarray:
    """What a colour stands for."""
    bar = heat(np.linspace(0, 1, 60)[:, None], 14, 160)
    return beside([label("weight 0", SMALL, MUTED), framed(bar, 1, TRACK), label("1", SMALL, MUTED)], 6, "centre")


def memory_maps(trace: Trace, across: str) -> np.ndarray | None:
    """Write gate, write weights, and read weights of each hop or head over time; None for a memory without any."""
    used = used_slots(trace)
    part = "hop" if len(trace.recalled) else "head"
    maps = [] if trace.gate is None else [gate_chart(trace.gate, across)]
    if trace.write is not None:
        maps.append(weight_map(trace.write[:, :used], "write", across))
    maps += [
        weight_map(weights[:, :used], f"read, {part} {number}", across)
        for number, weights in enumerate([] if trace.read is None else trace.read.swapaxes(0, 1), 1)
    ]
    return above([colour_bar(), flow(maps, WIDTH, 24, 18, "start")], 14) if maps else None


def used_slots(trace: Trace) -> int:
    """How many slots there are, up to the last that got any weight worth drawing."""
    peaks = [value.reshape(-1, value.shape[-1]).max(0) for value in (trace.write, trace.read) if value is not None]
    if not peaks:
        return 0
    return int(np.flatnonzero(np.max(peaks, axis=0) >= FAINT).max(initial=0)) + 1
