"""Panels and how they are put together: RGB arrays (height, width, 3) uint8 on one ground.

A panel has its own size; `beside` and `above` lay panels out, so no picture counts coordinates.
"""

from __future__ import annotations

import cv2
import numpy as np

from glimpse_env.render import Colour
from runs.traces.lettering import SHARE, Align, text_width, write

GROUND: Colour = (14, 17, 23)
INK: Colour = (233, 237, 243)
MUTED: Colour = (142, 151, 167)
TRACK: Colour = (33, 39, 50)
"""The empty part of a bar, and hairlines."""

TRUTH: Colour = (52, 196, 140)
WRONG: Colour = (255, 112, 67)
OTHER: Colour = (116, 126, 145)
"""Of beliefs: a bluish green, vermilion and grey, which any colour vision tells apart (Okabe & Ito 2008)."""

WIDTH = 700
"""Of a picture for TensorBoard's page, whose cards show it half as wide or less: what it holds is drawn for that."""

TEXT, SMALL = 22, 18
"""Sizes of letters in such a picture."""

LINE = 4
"""Thickness of lines in such a picture: two pixels in a card."""


def blank(height: int, width: int, colour: Colour = GROUND) -> np.ndarray:
    """An empty panel."""
    line = np.full((width, 3), colour, np.uint8)  # copying a line is many times faster than filling three by three
    return np.broadcast_to(line, (height, width, 3)).copy()


def label(text: str, size: int = 13, colour: Colour = INK, weight: int = 400) -> np.ndarray:
    """A line of text, one and a half times as high as its size."""
    panel = blank(round(1.5 * size), text_width(text, size, weight) + 2)
    write(panel, text, panel.shape[1] / 2, round(1.1 * size), size, colour, weight, "centre")
    return panel


def beside(panels: list[np.ndarray], gap: int = 0, align: Align = "start") -> np.ndarray:
    """Panels from left to right; `align` places the lower ones within the height of the highest."""
    return above([panel.transpose(1, 0, 2) for panel in panels], gap, align).transpose(1, 0, 2)


def above(panels: list[np.ndarray], gap: int = 0, align: Align = "start") -> np.ndarray:
    """Panels from top to bottom; `align` places the narrower ones within the width of the widest."""
    width = max(panel.shape[1] for panel in panels)
    result = blank(sum(panel.shape[0] for panel in panels) + gap * (len(panels) - 1), width)
    top = 0
    for panel in panels:
        left = round(SHARE[align] * (width - panel.shape[1]))
        result[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        top += panel.shape[0] + gap
    return result


def grid(panels: list[np.ndarray], across: int, gap: int, down: int) -> np.ndarray:
    """Panels in rows of `across`, `gap` pixels apart, and `down` from row to row."""
    return above([beside(panels[first : first + across], gap) for first in range(0, len(panels), across)], down)


def flow(panels: list[np.ndarray], width: int, gap: int, down: int, align: Align = "centre") -> np.ndarray:
    """Panels from left to right, `gap` pixels apart, in rows no wider than `width` where no single panel is."""
    rows: list[list[np.ndarray]] = []
    room = 0
    for panel in panels:
        room -= gap + panel.shape[1]
        if room < 0:
            rows.append([])
            room = width - panel.shape[1]
        rows[-1].append(panel)
    return above([beside(row, gap, align) for row in rows], down)


def paragraph(text: str, width: int, size: int = SMALL, colour: Colour = MUTED) -> np.ndarray:
    """A text of one word at least, in lines no wider than `width`."""
    return flow([label(word, size, colour) for word in text.split()], width, size // 5, 0)


def section(title: str, note: str, panel: np.ndarray, gap: int) -> np.ndarray:
    """A part of a picture below its title and a quieter note."""
    return above([beside([label(title, 15, weight=600), label(note, 13, MUTED)], 10, "end"), panel], gap)


def sheet(title: str, subtitle: str, parts: list[np.ndarray], gap: int) -> np.ndarray:
    """A picture: its title, a quieter line, and its parts below."""
    return framed(above([label(title, 22, weight=600), label(subtitle, 14, MUTED), *parts], gap), 24)


def framed(panel: np.ndarray, width: int, colour: Colour = GROUND) -> np.ndarray:
    """The panel with a frame, or a margin, of `width` pixels around it."""
    return cv2.copyMakeBorder(panel, width, width, width, width, cv2.BORDER_CONSTANT, value=colour)


def mark(correct: bool, size: int = 16) -> np.ndarray:
    """A tick or a cross, so that no reader depends on the colour."""
    panel = blank(size, size)
    shapes = (
        [[(0.12, 0.55), (0.40, 0.82), (0.90, 0.20)]]
        if correct
        else [[(0.2, 0.2), (0.8, 0.8)], [(0.8, 0.2), (0.2, 0.8)]]
    )
    for shape in shapes:
        points = np.round(np.asarray(shape) * size * 16).astype(np.int32)
        cv2.polylines(panel, [points], False, TRUTH if correct else WRONG, max(2, size // 7), cv2.LINE_AA, 4)
    return panel
