"""Pictures and animations as PNG and APNG files, and no larger than they may be."""

from __future__ import annotations

from collections.abc import Callable

import cv2
import numpy as np

COARSER = ((8, 1.0), (8, 0.5), (6, 0.5), (5, 0.5), (4, 0.5), (4, 0.35))
"""Bits a channel and size, the first of which that makes a file small enough is taken.

Half the size is what a card of TensorBoard's page shows, where coarse colours would be seen.
"""


def encode_png(picture: np.ndarray) -> bytes:
    """An RGB picture (height, width, 3) uint8 as PNG."""
    return bytes(cv2.imencode(".png", _bgr(picture), [cv2.IMWRITE_PNG_COMPRESSION, 9])[1])


def encode_apng(frames: list[np.ndarray], milliseconds: list[int]) -> bytes:
    """RGB frames of one shape (height, width, 3) uint8, each shown so long, as an APNG that repeats for ever.

    Raises:
        RuntimeError: where OpenCV cannot.
    """
    film = cv2.Animation()
    # With an opaque fourth channel, OpenCV writes only those pixels of a frame that change: half as many bytes.
    film.frames, film.durations = [cv2.cvtColor(frame, cv2.COLOR_RGB2BGRA) for frame in frames], milliseconds
    done, content = cv2.imencodeanimation(".png", film, [cv2.IMWRITE_PNG_COMPRESSION, 3])
    if not done:
        raise RuntimeError("OpenCV could not encode the animation")
    return bytes(content)


def within(limit: float, encode: Callable[[list[np.ndarray]], bytes], frames: list[np.ndarray]) -> bytes:
    """What `encode` makes of frames, half as large and then in fewer colours where it takes more than `limit` bytes.

    Photographs take far more than drawings. What is still too large in the coarsest form is returned so.
    """
    content = b""
    for bits, size in COARSER:
        content = encode([coarser(frame, bits, size) for frame in frames])
        if len(content) <= limit:
            break
    return content


def coarser(picture: np.ndarray, bits: int, size: float) -> np.ndarray:
    """The picture with 2**bits levels a channel, and `size` times as wide and high."""
    if size < 1:
        picture = cv2.resize(picture, None, fx=size, fy=size, interpolation=cv2.INTER_AREA)
    if bits >= 8:
        return picture
    steps = 2**bits - 1
    return cv2.LUT(picture, np.round(np.round(np.arange(256) / 255 * steps) * 255 / steps).astype(np.uint8))


def _bgr(picture: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(picture[..., ::-1])
