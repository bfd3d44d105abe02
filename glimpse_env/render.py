"""Drawings of what was observed, with OpenCV: the canvas, the path of fixations and the retina's windows."""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np

from glimpse_env.retina import Retina, fixation_pixel

Colour = tuple[int, int, int]
"""RGB, each in [0, 255]."""

FRAME, LARGEST = 360, 720
"""The longer side of a frame in pixels, at least and at most."""

UNSEEN = 0.55
"""How bright the part of the canvas that no window has covered is drawn: enough to recognise a photograph in grey."""

SHADE: Colour = (21, 25, 33)
"""What is added to the part that one has covered, so that it differs from the black of a canvas."""

SMOOTH = 4
"""Canvases enlarged less than this many times are smoothed; the pixels of smaller ones are drawn as squares."""

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


def magnification(shape: tuple[int, ...], room: tuple[int, int]) -> float:
    """The factor that makes a canvas (H, W, …) as large as it can be within `room`, (height, width) in pixels.

    From `SMOOTH` on it is a whole number, so that the canvas's pixels are squares of one size.
    """
    factor = min(room[0] / shape[0], room[1] / shape[1])
    return factor if factor < SMOOTH else int(factor)


def resized(canvas: np.ndarray, factor: float, smooth: float = SMOOTH) -> np.ndarray:
    """The canvas (H, W, C) uint8, C is 1 or 3, as an RGB picture of its size times `factor`, one pixel at least.

    Enlarged less than `smooth` times it is interpolated, more it shows its pixels as squares. A larger canvas is shrunk
    by averages over areas.
    """
    size = max(1, round(canvas.shape[1] * factor)), max(1, round(canvas.shape[0] * factor))
    how = cv2.INTER_AREA if factor <= 1 else cv2.INTER_LINEAR if factor < smooth else cv2.INTER_NEAREST
    picture = cv2.resize(np.ascontiguousarray(canvas), size, interpolation=how)
    return cv2.cvtColor(picture, cv2.COLOR_GRAY2RGB) if canvas.shape[2] == 1 else picture


def show_canvas(canvas: np.ndarray, factor: float, path: np.ndarray, retina: Retina) -> np.ndarray:
    """The canvas (H, W, C) uint8 as an RGB picture, in colour where a window was on its path and grey elsewhere.

    What the finest window has covered is bright, what only coarser ones have covered is darker with each scale, and
    what none has covered has `UNSEEN` of its brightness.
    """
    picture = resized(canvas, factor)
    bright, colour = np.zeros((2, *picture.shape[:2], 1), np.float32)
    boxes = [retina.windows((location[0], location[1]), canvas.shape[:2]) for location in path]
    for scale in reversed(range(retina.scales)):
        for windows in boxes:
            left, top, right, bottom = (max(0, round(edge * factor)) for edge in windows[scale])
            bright[top:bottom, left:right] = 1 - scale / retina.scales
            colour[top:bottom, left:right] = 1
    grey = cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY)[..., None]
    picture = colour * picture + (1 - colour) * grey
    shade = np.asarray(SHADE, np.float32)
    return (bright * (shade + picture * (1 - shade / 255)) + (1 - bright) * UNSEEN * picture).round().astype(np.uint8)


def gaze_points(path: np.ndarray, canvas: tuple[int, ...], factor: float) -> np.ndarray:
    """(T, 2) float (x, y) of the fixations `path` (T, 2) in a picture of a canvas (H, W, …) enlarged by `factor`."""
    pixels = fixation_pixel(np.asarray(path, dtype=np.float32), (canvas[0], canvas[1]))
    return np.asarray(pixels * np.float64(factor))


def draw_windows(picture: np.ndarray, boxes: Sequence[Sequence[int]], factor: float, line: int) -> None:
    """Frame the windows of a glimpse, `Retina.windows`, in the colours of their scales."""
    for scale in reversed(range(len(boxes))):
        draw_box(picture, boxes[scale], factor, window_colour(scale), line)


def draw_box(picture: np.ndarray, box: Sequence[int], factor: float, colour: Colour, line: int) -> None:
    """Frame a box of the canvas, (left, top, right, bottom) in its pixels, by a line inside it."""
    limit = max(picture.shape)  # OpenCV draws no coordinate beyond 16 bits
    left, top, right, bottom = (int(np.clip(round(edge * factor), -limit, 2 * limit)) for edge in box)
    for inset in range(min(line, (right - left + 1) // 2, (bottom - top + 1) // 2)):
        corners = (left + inset, top + inset), (right - 1 - inset, bottom - 1 - inset)
        cv2.rectangle(picture, *corners, colour, 1, cv2.LINE_8)


def draw_saccades(picture: np.ndarray, points: np.ndarray, line: int) -> None:
    """Join fixations (T, 2) by lines, in picture coordinates."""
    track = [np.round(points * 2**_SUBPIXEL).astype(np.int32)]
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
        (height, width, 3) uint8 RGB: a whole multiple of the canvas, its longer side `FRAME` pixels at least; a canvas
        larger than `LARGEST` is shrunk to that. What no window has covered is dimmed and grey.
    """
    longer = max(canvas.shape[:2])
    factor = LARGEST / longer if longer > LARGEST else -(-FRAME // longer)
    picture = show_canvas(canvas, factor, path, retina)
    line = stroke(picture)
    draw_windows(picture, retina.windows((path[-1][0], path[-1][1]), canvas.shape[:2]), factor, line)
    points = gaze_points(path, canvas.shape, factor)
    draw_saccades(picture, points, line)
    for step, point in enumerate(points):
        last = step == len(points) - 1
        colour = WINDOW_COLOURS[0] if last else PATH_COLOUR
        draw_dot(picture, point, (2.5 if last else 1.5) * line, colour)
    return picture
