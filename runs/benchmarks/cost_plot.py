"""The plot of costs, both axes logarithmic, drawn with OpenCV."""

from __future__ import annotations

import math

import cv2
import numpy as np

from runs.traces.layout import GROUND, INK, MUTED, OTHER, TRACK, TRUTH, WRONG, Colour, blank, write

HEIGHT, WIDTH = 520, 900
LEFT, RIGHT, TOP, BOTTOM = 90, 230, 70, 60
COLOURS: tuple[Colour, ...] = (TRUTH, OTHER, INK, WRONG, (86, 156, 255))
NAME = 16
"""Height of a name in pixels."""

Curve = list[tuple[float, float]]


def cost_plot(
    title: str, curves: dict[str, Curve], x_name: str, y_name: str, ticks: list[float] | None = None
) -> np.ndarray:
    """Curves of (x, y), both positive, as a picture (H, W, 3) uint8; each is named at its end, as far as there is room.

    `ticks` of x are by default its values.

    Raises:
        ValueError: where there is nothing to draw, a value is not positive, or there are more curves than colours.
    """
    points = [point for curve in curves.values() for point in curve]
    if len(curves) > len(COLOURS):
        raise ValueError(f"a plot has colours for {len(COLOURS)} curves, got {len(curves)}")
    if not points or min(min(point) for point in points) <= 0:
        raise ValueError("a logarithmic plot needs at least one point, and all of them positive")
    (x_low, x_high), (y_low, y_high) = (_decades([point[axis] for point in points], axis) for axis in (0, 1))
    picture = blank(HEIGHT, WIDTH, GROUND)

    def place(x: float, y: float) -> tuple[int, int]:
        across = (math.log(x) - math.log(x_low)) / (math.log(x_high) - math.log(x_low))
        up = (math.log(y) - math.log(y_low)) / (math.log(y_high) - math.log(y_low))
        return round(LEFT + across * (WIDTH - LEFT - RIGHT)), round(HEIGHT - BOTTOM - up * (HEIGHT - TOP - BOTTOM))

    write(picture, title, 24, 36, 18, INK, 700)
    for power in range(round(math.log10(y_low)), round(math.log10(y_high)) + 1):
        left, y = place(x_low, 10.0**power)
        cv2.line(picture, (left, y), (WIDTH - RIGHT, y), TRACK, 1)
        write(picture, f"{10.0**power:,g}", 24, y + 4, 12, MUTED)
    for x in ticks or sorted({point[0] for point in points}):
        column, bottom = place(x, y_low)
        write(picture, f"{x:g}", column - 12, bottom + 22, 12, MUTED)
    write(picture, x_name, LEFT, HEIGHT - 12, 12, MUTED)
    write(picture, y_name, 24, TOP - 12, 12, MUTED)
    heights: list[int] = []
    for colour, (name, curve) in zip(COLOURS, curves.items(), strict=False):
        line = np.array([place(*point) for point in curve], np.int32)
        cv2.polylines(picture, [line], False, colour, 2, cv2.LINE_AA)
        for point in line:
            cv2.circle(picture, tuple(int(value) for value in point), 4, colour, -1, cv2.LINE_AA)
        height = int(line[-1][1]) + 4
        while any(abs(height - other) < NAME for other in heights):  # names do not cover each other
            height += 1
        heights.append(height)
        write(picture, name, int(line[-1][0]) + 12, height, 13, colour)
    return picture


def _decades(values: list[float], axis: int) -> tuple[float, float]:
    """The range of an axis: the values' own across, whole powers of ten upwards."""
    if axis == 0:
        return min(values), max(values) if max(values) > min(values) else 2 * min(values)
    return 10.0 ** math.floor(math.log10(min(values))), 10.0 ** math.ceil(math.log10(max(values)) + 1e-9)
