"""Lines of text on RGB arrays (height, width, 3) uint8."""

from __future__ import annotations

import functools
from typing import Literal

import cv2
import numpy as np

from glimpse_env.render import Colour

Align = Literal["start", "centre", "end"]

SHARE = {"start": 0.0, "centre": 0.5, "end": 1.0}
"""Of the room that is left over, what lies before."""


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
    place = (round(x - SHARE[align] * text_width(text, size, weight)), round(y))
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
