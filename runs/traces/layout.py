"""Panels and how they are put together: RGB arrays (height, width, 3) uint8 on one ground.

A panel has its own size; `beside` and `above` lay panels out, so no picture counts coordinates.
"""

from __future__ import annotations

import functools
from typing import Literal

import cv2
import numpy as np

from glimpse_env.render import Colour

GROUND: Colour = (14, 17, 23)
INK: Colour = (233, 237, 243)
MUTED: Colour = (142, 151, 167)
TRACK: Colour = (33, 39, 50)
"""The empty part of a bar, and hairlines."""

TRUTH: Colour = (52, 196, 140)
WRONG: Colour = (255, 112, 67)
OTHER: Colour = (116, 126, 145)
"""Of beliefs: a bluish green, vermilion and grey, which any colour vision tells apart (Okabe & Ito 2008)."""

Align = Literal["start", "centre", "end"]


@functools.cache
def _font() -> cv2.FontFace | None:
    """OpenCV's own TrueType face; OpenCV 4 has only stroke fonts."""
    return cv2.FontFace("sans") if hasattr(cv2, "FontFace") else None


def _stroke_font(size: int, weight: int) -> tuple[int, float, int]:
    return cv2.FONT_HERSHEY_SIMPLEX, size / 30, 2 if weight >= 600 and size > 16 else 1


def _ascii(text: str) -> str:
    return text.translate({ord("·"): "-", ord("×"): "x", ord("…"): ".."})


def text_width(text: str, size: int, weight: int = 400) -> int:
    """The width in pixels of a line of text whose letters are `size` high with their ascenders and descenders."""
    if not text:
        return 0
    font = _font()
    if font is not None:
        return int(cv2.getTextSize((0, 0), text, (0, 0), font, size, weight)[2])
    return int(cv2.getTextSize(_ascii(text), *_stroke_font(size, weight))[0][0])


def write(
    image: np.ndarray,
    text: str,
    x: float,
    y: float,
    size: int,
    colour: Colour,
    weight: int = 400,
    align: Align = "start",
) -> None:
    """Write a line of text onto an image with its baseline at y, and its start, centre or end at x."""
    share = {"start": 0.0, "centre": 0.5, "end": 1.0}[align]
    place = (round(x - share * text_width(text, size, weight)), round(y))
    font = _font()
    if font is not None:
        cv2.putText(image, text, place, colour, font, size, weight)
    else:
        face, scale, line = _stroke_font(size, weight)
        cv2.putText(image, _ascii(text), place, face, scale, colour, line, cv2.LINE_AA)


def shorten(text: str, size: int, width: int, weight: int = 400) -> str:
    """The text, or as much of its beginning as fits into `width` pixels, with an ellipsis."""
    if text_width(text, size, weight) <= width:
        return text
    while text and text_width(text + "…", size, weight) > width:
        text = text[:-1]
    return text.rstrip() + "…"


def blank(height: int, width: int, colour: Colour = GROUND) -> np.ndarray:
    """An empty panel."""
    line = np.tile(np.asarray(colour, np.uint8), (width, 1))
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
    share = {"start": 0.0, "centre": 0.5, "end": 1.0}[align]
    width = max(panel.shape[1] for panel in panels)
    result = blank(sum(panel.shape[0] for panel in panels) + gap * (len(panels) - 1), width)
    top = 0
    for panel in panels:
        left = round(share * (width - panel.shape[1]))
        result[top : top + panel.shape[0], left : left + panel.shape[1]] = panel
        top += panel.shape[0] + gap
    return result


def heading(title: str, note: str) -> np.ndarray:
    """The title of a part of a picture, and a quieter note beside it."""
    return beside([label(title, 15, weight=600), label(note, 13, MUTED)], 10, "end")


def framed(panel: np.ndarray, width: int, colour: Colour = GROUND) -> np.ndarray:
    """The panel with a frame, or a margin, of `width` pixels around it."""
    return cv2.copyMakeBorder(panel, width, width, width, width, cv2.BORDER_CONSTANT, value=colour)


def dot(colour: Colour, radius: int) -> np.ndarray:
    """A filled circle."""
    panel = blank(2 * radius + 3, 2 * radius + 3)
    centre = (radius + 1) * 16
    cv2.circle(panel, (centre, centre), radius * 16, colour, -1, cv2.LINE_AA, 4)
    return panel


def verdict_mark(correct: bool, size: int = 16) -> np.ndarray:
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
