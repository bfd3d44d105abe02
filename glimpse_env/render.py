"""Drawings of what was observed, with OpenCV: the canvas, the path of fixations and the retina's windows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from glimpse_env.retina import Retina, fixation_pixel

Colour = tuple[int, int, int]
"""RGB, each in [0, 255]."""

FRAME = 360
"""The longer side of a frame in pixels, at least."""

UNSEEN = 0.3
"""How bright the part of the canvas that no finest window has covered is drawn."""

SHADE: Colour = (21, 25, 33)
"""What is added to the part that one has covered, so that it differs from the black of a canvas."""

PATH_COLOUR: Colour = (255, 193, 64)
"""Of the path so far; the present fixation is drawn in `WINDOW_COLOURS[0]`."""

WINDOW_COLOURS: tuple[Colour, ...] = ((126, 214, 255), (84, 148, 255), (128, 108, 242), (180, 98, 214))
"""Of the window of each scale, finest first; further scales take the last."""

OUTLINE: Colour = (10, 12, 16)
"""Around lines and dots, to set them off from a bright canvas."""

_SUBPIXEL = 4
"""Bits of a pixel's fraction in OpenCV's coordinates."""


def window_colour(scale: int) -> Colour:
    """The colour that stands for a scale, 0 being the finest."""
    return WINDOW_COLOURS[min(scale, len(WINDOW_COLOURS) - 1)]


def magnification(shape: tuple[int, ...], frame: int, *, shrink: bool = False) -> float:
    """The least whole factor that makes the longer side of a canvas (H, W, …) at least `frame` pixels.

    With `shrink` a larger canvas gets the fraction that makes it `frame`, and a smaller one stays within `frame`.
    """
    longer = max(shape[:2])
    if not shrink:
        return max(1, -(-frame // longer))
    return frame // longer if longer <= frame else frame / longer


def show_canvas(
    canvas: np.ndarray, factor: float, path: np.ndarray | None = None, retina: Retina | None = None
) -> np.ndarray:
    """The canvas (H, W, C) uint8 as an RGB picture, dimmed but where the finest window was on its `path`.

    Without a path nothing is dimmed.
    """
    height, width = canvas.shape[:2]
    rgb = np.repeat(canvas, 3, axis=2) if canvas.shape[2] == 1 else canvas
    if path is not None and retina is not None:
        seen = np.zeros((height, width, 1), dtype=np.float32)
        for location in path:
            left, top, right, bottom = retina.windows((location[0], location[1]), (height, width))[0]
            seen[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1.0
        shade = np.asarray(SHADE, np.float32)
        rgb = (seen * (shade + rgb * (1 - shade / 255)) + (1 - seen) * UNSEEN * rgb).round().astype(np.uint8)
    if factor >= 1:
        return np.ascontiguousarray(rgb.repeat(int(factor), axis=0).repeat(int(factor), axis=1))
    size = max(1, round(width * factor)), max(1, round(height * factor))
    return cv2.resize(np.ascontiguousarray(rgb), size, interpolation=cv2.INTER_AREA)


def gaze_points(path: np.ndarray, canvas: tuple[int, ...], factor: float) -> np.ndarray:
    """(T, 2) float (x, y) of the fixations `path` (T, 2) in a picture of a canvas (H, W, …) enlarged by `factor`."""
    pixels = fixation_pixel(np.asarray(path, dtype=np.float32), (canvas[0], canvas[1]))
    return np.asarray(pixels * np.float64(factor))


def draw_windows(picture: np.ndarray, boxes: Sequence[tuple[int, int, int, int]], factor: float) -> None:
    """Frame the windows of a glimpse, `Retina.windows`, in the colours of their scales."""
    line, limit = stroke(picture), max(picture.shape)  # OpenCV draws no coordinate beyond 16 bits
    for scale in reversed(range(len(boxes))):
        left, top, right, bottom = (int(np.clip(round(edge * factor), -limit, 2 * limit)) for edge in boxes[scale])
        colour = window_colour(scale)
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, line if scale == 0 else 1, cv2.LINE_8)


def draw_saccades(picture: np.ndarray, points: np.ndarray) -> None:
    """Join fixations (T, 2) by lines, in picture coordinates."""
    track = [np.round(points * 2**_SUBPIXEL).astype(np.int32)]
    line = stroke(picture)
    cv2.polylines(picture, track, False, OUTLINE, line + 2, cv2.LINE_AA, _SUBPIXEL)
    cv2.polylines(picture, track, False, PATH_COLOUR, line, cv2.LINE_AA, _SUBPIXEL)


def draw_dot(picture: np.ndarray, point: np.ndarray, radius: float, colour: Colour) -> None:
    """A dot at (x, y), in picture coordinates."""
    centre = round(float(point[0] * 2**_SUBPIXEL)), round(float(point[1] * 2**_SUBPIXEL))
    for size, ink in ((radius + 1.25, OUTLINE), (radius, colour)):
        cv2.circle(picture, centre, round(size * 2**_SUBPIXEL), ink, -1, cv2.LINE_AA, _SUBPIXEL)


def stroke(picture: np.ndarray) -> int:
    """The thickness of lines that suits a picture's size."""
    return -(-max(picture.shape[:2]) // 190)


def draw_gaze(canvas: np.ndarray, path: np.ndarray, retina: Retina) -> np.ndarray:
    """The canvas with the path of fixations and the windows of the last one.

    Args:
        canvas: (H, W, C) uint8, C is 1 or 3.
        path: (T, 2) float32 locations (x right, y down) in [-1, 1], oldest first, T at least 1.
        retina: patch size and scales.

    Returns:
        (height, width, 3) uint8 RGB, a whole multiple of the canvas. What no finest window has covered is dimmed.
    """
    factor = magnification(canvas.shape, FRAME)
    picture = show_canvas(canvas, factor, path, retina)
    draw_windows(picture, retina.windows((path[-1][0], path[-1][1]), canvas.shape[:2]), factor)
    points = gaze_points(path, canvas.shape, factor)
    draw_saccades(picture, points)
    for step, point in enumerate(points):
        last = step == len(points) - 1
        colour = WINDOW_COLOURS[0] if last else PATH_COLOUR
        draw_dot(picture, point, (2.5 if last else 1.5) * stroke(picture), colour)
    return picture
