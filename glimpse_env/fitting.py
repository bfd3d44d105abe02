"""How large a picture is on its canvas: as it is, shrunk to a longest side, or fitted to the canvas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal, NamedTuple, get_args

import cv2
import numpy as np

Fit = Literal["pad", "contain", "cover"]
"""How a picture and its canvas go together.

"pad": the picture keeps its size, or is shrunk to `resize`, and has a random place on the canvas;
"contain": it is scaled, up or down and in its proportions, until it just fits into the canvas, and lies in the middle;
"cover": it is scaled until it just covers the canvas, and what sticks out is cut off alike at both ends.
"""


class Fitting(NamedTuple):
    """The size at which pictures are shown.

    Attributes:
        resize: the longest side in pixels, to which larger pictures are shrunk, with "pad"; None leaves their sizes.
        fit: "pad", "contain" or "cover".
        canvas: (height, width) with "contain" and "cover"; None is the largest height and width of the pictures.
    """

    resize: int | None = None
    fit: Fit = "pad"
    canvas: tuple[int, int] | None = None

    @staticmethod
    def of(fit: Any, resize: Any, size: tuple[int, int] | None) -> Fitting:
        """From a task's arguments: with "contain" and "cover", the canvas is `size`, or a square of `resize`.

        Raises:
            ValueError: for an unknown `fit`, a wrong `resize` or `size`, or both of them where one is enough.
        """
        if fit not in get_args(Fit):
            raise ValueError(f"fit must be one of {', '.join(get_args(Fit))}, got {fit!r}")
        resize = checked_resize(resize)
        if fit == "pad":
            return Fitting(resize)
        if resize is not None and size is not None:
            raise ValueError(
                f"with fit={fit!r} give size= (the canvas) or resize= (the side of a square one), not both: images are "
                "scaled to the canvas"
            )
        if size is not None and min(size) < 1:
            raise ValueError(f"size must be at least 1, got {size}")
        return Fitting(None, fit, size if resize is None else (resize, resize))

    def for_sizes(self, sizes: Iterable[tuple[int, int]]) -> Fitting:
        """The same, with a canvas of the largest height and width among these sizes where it has none."""
        if self.fit == "pad" or self.canvas is not None:
            return self
        height, width = (max(side) for side in zip(*sizes, strict=True))
        return self._replace(canvas=(height, width))

    def scaled(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) to which a picture of this (height, width) is scaled; with "cover", before it is cropped."""
        if self.canvas is None:
            return shrunk(size, self.resize)
        (height, width), (rows, columns) = size, self.canvas
        taller = height * columns >= width * rows  # in proportion, than the canvas
        if taller == (self.fit == "contain"):
            return rows, max(1, round(width * rows / height))
        return max(1, round(height * columns / width)), columns

    def shown(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) at which a picture of this (height, width) is shown."""
        return self.canvas if self.fit == "cover" and self.canvas is not None else self.scaled(size)

    def apply(self, pixels: np.ndarray, size: tuple[int, int] | None = None) -> np.ndarray:
        """A picture as it is shown.

        Args:
            pixels: (h, w, C) uint8.
            size: (height, width) of the picture, of which a decoder may have made these pixels; None is theirs.

        Returns:
            (height, width, C) uint8, of the size that `shown` says.
        """
        if self.fit != "cover" or self.canvas is None:
            return resampled(pixels, self.scaled(size or pixels.shape[:2]))
        height, width, (rows, columns) = *pixels.shape[:2], self.canvas
        # What lies far outside is cut off first: of a picture that is long and narrow, it would be enlarged to nearly
        # any size.
        pixels = _middle(pixels, (-(-width * rows // columns), -(-height * columns // rows)), alike=True)
        return _middle(resampled(pixels, self.scaled(pixels.shape[:2])), self.canvas)

    def in_picture(self, points: np.ndarray, size: tuple[int, int]) -> np.ndarray:
        """Where points of what is shown are in the picture itself: to within a pixel of what is shown.

        Args:
            points: (…, 2) float32, (x right, y down) in pixels of the canvas with "contain" and "cover", and of the
                shown picture with "pad".
            size: (height, width) of the picture.

        Returns:
            (…, 2) float32, in pixels of the picture; with "contain", points on what it does not cover are outside.
        """
        (height, width), (rows, columns) = size, self.scaled(size)
        down, across = self.canvas or (rows, columns)
        corner = np.array([int((across - columns) / 2), int((down - rows) / 2)], np.float32)  # of the scaled picture
        return (points - corner) * np.array([width / columns, height / rows], np.float32)


AS_IT_IS = Fitting()


def checked_resize(value: Any) -> int | None:
    """`resize`, if it is valid.

    Raises:
        ValueError: for what is neither an integer of at least 1 nor None.
    """
    if value is not None and not (type(value) is not bool and isinstance(value, (int, np.integer)) and value >= 1):
        raise ValueError(f"resize is the longest side in pixels, an integer of at least 1, or None; got {value!r}")
    return None if value is None else int(value)


def shrunk(size: tuple[int, int], longest: int | None) -> tuple[int, int]:
    """A size whose longest side is at most `longest` pixels, in the same proportions; each side has at least one."""
    if longest is None or max(size) <= longest:
        return size
    first, second = (max(1, round(side * longest / max(size))) for side in size)
    return first, second


def resampled(pixels: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Pixels (h, w, C) uint8 in another (height, width): by averages over areas where it is smaller, else bilinear."""
    height, width = pixels.shape[:2]
    if size == (height, width):
        return pixels
    smaller = size[0] <= height and size[1] <= width
    how = cv2.INTER_AREA if smaller else cv2.INTER_LINEAR
    return cv2.resize(pixels, size[::-1], interpolation=how).reshape(*size, -1)


def _middle(pixels: np.ndarray, size: tuple[int, int], *, alike: bool = False) -> np.ndarray:
    """The middle of pixels (h, w, C), of this (height, width) at most; `alike`: one more, if the ends differ else."""
    (top, bottom), (left, right) = (
        (spare // 2, length - (spare // 2 if alike else spare - spare // 2))
        for length, spare in ((length, max(0, length - side)) for length, side in zip(pixels.shape, size, strict=False))
    )
    return pixels[top:bottom, left:right]
