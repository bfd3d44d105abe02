"""Drawings of what has been seen, with OpenCV: the canvas, the path of fixations and the retina's windows."""

from __future__ import annotations

import cv2
import numpy as np

from glimpse_env.retina import Retina, fixation_pixel

FRAME = 360
"""The longer side of a frame in pixels, at least."""

UNSEEN = 0.35
"""How bright the part of the canvas that no glimpse has covered is drawn."""

PATH_COLOUR = (255, 196, 61)
"""RGB of the path so far; the present fixation is drawn in `WINDOW_COLOURS[0]`."""

WINDOW_COLOURS = ((64, 224, 208), (86, 156, 255), (150, 120, 255), (214, 110, 214))
"""RGB of the window of each scale, finest first; further scales take the last."""


def upscale(canvas: np.ndarray, frame: int = FRAME) -> tuple[np.ndarray, int]:
    """The canvas (H, W, C) uint8 as an RGB picture enlarged by a whole factor, and the factor."""
    factor = max(1, -(-frame // max(canvas.shape[:2])))
    rgb = np.repeat(canvas, 3, axis=2) if canvas.shape[2] == 1 else canvas
    return rgb.repeat(factor, axis=0).repeat(factor, axis=1), factor


def draw_gaze(
    canvas: np.ndarray,
    path: np.ndarray,
    retina: Retina,
    *,
    frame: int = FRAME,
    colours: list[tuple[int, int, int]] | None = None,
) -> np.ndarray:
    """The canvas with the path of fixations and the windows of the last one.

    Args:
        canvas: (H, W, C) uint8, C is 1 or 3.
        path: (T, 2) float32 locations (x right, y down) in [-1, 1], oldest first, T at least 1.
        retina: patch size and scales.
        frame: the longer side of the picture in pixels, at least.
        colours: T RGB colours of the fixations; None draws them in `PATH_COLOUR`.

    Returns:
        (height, width, 3) uint8 RGB, a whole multiple of the canvas. What no finest window has covered is dimmed.
    """
    height, width = canvas.shape[:2]
    seen = np.full((height, width, 1), UNSEEN, dtype=np.float32)
    for location in path:
        left, top, right, bottom = retina.windows((location[0], location[1]), (height, width))[0]
        seen[max(top, 0) : max(bottom, 0), max(left, 0) : max(right, 0)] = 1.0
    picture, factor = upscale((canvas * seen).astype(np.uint8), frame)
    picture = np.ascontiguousarray(picture)
    line = max(1, factor // 3)
    boxes = retina.windows((path[-1][0], path[-1][1]), (height, width))
    for scale in reversed(range(retina.scales)):
        left, top, right, bottom = (int(edge) * factor for edge in boxes[scale])
        colour = WINDOW_COLOURS[min(scale, len(WINDOW_COLOURS) - 1)]
        cv2.rectangle(picture, (left, top), (right - 1, bottom - 1), colour, line, cv2.LINE_AA)
    points = [tuple(int(edge) * factor for edge in pixel) for pixel in fixation_pixel(path, (height, width))]
    for begin, end in zip(points, points[1:], strict=False):
        cv2.line(picture, begin, end, PATH_COLOUR, line, cv2.LINE_AA)
    for step, point in enumerate(points):
        last = step == len(points) - 1
        colour = colours[step] if colours else (WINDOW_COLOURS[0] if last else PATH_COLOUR)
        cv2.circle(picture, point, factor if last else max(2, factor * 2 // 3), colour, -1, cv2.LINE_AA)
    return picture
