"""Street scenes composed for training: real ones turned, moved and lit, with signs of others pasted onto them.

What is drawn (`arrange`) is separate from what is painted (`paint`), so that the boxes are known without a pixel.
"""

from __future__ import annotations

import functools
from typing import NamedTuple

import cv2
import numpy as np

from glimpse_env.fitting import Fitting
from glimpse_env.folders import ImageFile
from glimpse_env.pictures import CACHE, Reading
from glimpse_env.street_scenes import CATEGORY, CLASSES, StreetScenes

PASTED = 3
"""Signs that are pasted onto a scene, at most."""
NUMBERS = 16 + 8 * PASTED
"""Random numbers of a scene."""
ZOOM = (0.8, 1.4)
SIZES = (16.0, 128.0)
"""Of pasted signs, width in pixels of the full scene; those of the benchmark are in this range."""
LEAST = 0.6
"""Share of a sign that must lie within the frame for it to count."""
FEATHER = 0.12
"""Of a pasted sign's edge, as a share of its size."""
GIVE_WAY, STOP, PRIORITY = (CLASSES.index(name) for name in ("give way", "stop", "priority road"))
DANGER = 2


class Arrangement(NamedTuple):
    """What is drawn of a composed scene. S signs, in pixels of the scene as it is shown.

    Attributes:
        scene: number of the picture.
        zoom: how much larger it is shown.
        shift: (x, y) pixels by which it is moved after that.
        flipped: whether left and right are exchanged.
        light: (3,) gain of each channel.
        boxes: (S, 4) float64 left, top, right, bottom.
        kinds: (S,) int64 classes.
        pasted: (S,) int64, the number of the sign that is pasted there; -1 for a real one.
        gains: (S,) how much lighter the pasted sign is.
        softness: (S,) in [0, 1), how much it is blurred.
    """

    scene: int
    zoom: float
    shift: tuple[float, float]
    flipped: bool
    light: np.ndarray
    boxes: np.ndarray
    kinds: np.ndarray
    pasted: np.ndarray
    gains: np.ndarray
    softness: np.ndarray


def plain(scenes: StreetScenes, scene: int, size: tuple[int, int]) -> Arrangement:
    """A real scene as it is, shown with (height, width) pixels."""
    rows = scenes.signs(scene)
    boxes = scenes.boxes[rows] * (size[1] / scenes.full[1])
    ones = np.ones(len(rows))
    return Arrangement(
        scene, 1.0, (0.0, 0.0), False, np.ones(3), boxes, scenes.kinds[rows], np.full(len(rows), -1), ones, 0 * ones
    )


def arrange(scenes: StreetScenes, scene: int, size: tuple[int, int], u: np.ndarray, flips: bool) -> Arrangement:
    """A composed scene.

    Args:
        scenes: of the training split.
        scene: which of them is the ground.
        size: (height, width) as it is shown.
        u: (NUMBERS,) uniform in [0, 1).
        flips: whether left and right may be exchanged, which changes the class of some signs, and no category.

    Returns:
        With at least one sign that counts: a scene of which none is left is shown as it is.
    """
    real, (height, width) = plain(scenes, scene, size), size
    zoom = float(np.exp(np.log(ZOOM[0]) + u[0] * np.log(ZOOM[1] / ZOOM[0])))
    shift = u[1] * width * (1 - zoom), u[2] * height * (1 - zoom)
    flipped = bool(flips and u[3] < 0.5)
    boxes = real.boxes * zoom + np.tile(shift, 2)
    if flipped:
        boxes[:, [0, 2]] = width - boxes[:, [2, 0]]
    inside = areas(np.clip(boxes, 0, [width, height] * 2)) >= LEAST * areas(boxes)
    boxes, kinds = list(boxes[inside]), list(real.kinds[inside])
    pasted, gains, softness = [-1] * len(boxes), [1.0] * len(boxes), [0.0] * len(boxes)
    taken = list(real.boxes * zoom + np.tile(shift, 2)) if not flipped else list(boxes)
    for v in u[16:].reshape(PASTED, 8)[: int(u[4] * (PASTED + 1))]:
        sign = _pick(scenes, v[0], v[1])
        left, top, right, bottom = scenes.boxes[sign]
        wide = float(np.exp(np.log(SIZES[0]) + v[2] * np.log(SIZES[1] / SIZES[0]))) * width / scenes.full[1]
        high = wide * (bottom - top) / (right - left)
        x, y = v[3] * (width - wide), (0.05 + 0.8 * v[4]) * (height - high)
        box = np.array([x, y, x + wide, y + high])
        if any(_overlap(box, other) for other in taken):
            continue
        taken.append(box)
        boxes.append(box)
        kinds.append(scenes.kinds[sign])
        pasted.append(sign)
        gains.append(float(np.exp2(v[5] - 0.5)))
        softness.append(float(v[6]))
    if not boxes:
        return real
    light = np.exp2(1.4 * (u[5] - 0.5) + 0.3 * (u[6:9] - 0.5))
    return Arrangement(
        scene, zoom, shift, flipped, light, np.array(boxes), np.array(kinds), np.array(pasted), np.array(gains),
        np.array(softness),
    )  # fmt: skip


def paint(scenes: StreetScenes, made: Arrangement, size: tuple[int, int]) -> np.ndarray:
    """(3, height, width) uint8 of an arrangement."""
    height, width = size
    picture = np.broadcast_to(scenes.pictures[made.scene], (3, height, width))
    if made.zoom == 1:  # a real scene
        return picture
    across = -made.zoom if made.flipped else made.zoom
    start = width - made.shift[0] if made.flipped else made.shift[0]
    matrix = np.array([[across, 0, start], [0, made.zoom, made.shift[1]]])
    ground = np.empty((3, height, width), np.uint8)
    for plane, out in zip(picture, ground, strict=True):
        cv2.warpAffine(plane, matrix, (width, height), out, cv2.INTER_LINEAR, cv2.BORDER_REPLICATE)
    for box, sign, gain, soft in zip(made.boxes, made.pasted, made.gains, made.softness, strict=True):
        if sign >= 0:
            _paste(ground, _crop(scenes, int(sign)), box, int(scenes.kinds[sign]), made.flipped, gain, soft)
    for plane, light in zip(ground, made.light, strict=True):
        plane[:] = cv2.LUT(plane, np.clip(np.arange(256) * light, 0, 255).astype(np.uint8))
    return ground


def largest(made: Arrangement) -> int:
    """The number of the largest sign, by area; the first of several."""
    return int(np.argmax(areas(made.boxes)))


def areas(boxes: np.ndarray) -> np.ndarray:
    """(S,) of boxes (S, 4)."""
    return (boxes[:, 2] - boxes[:, 0]).clip(0) * (boxes[:, 3] - boxes[:, 1]).clip(0)


def _overlap(one: np.ndarray, other: np.ndarray) -> bool:
    return bool((one[:2] < other[2:]).all() and (other[:2] < one[2:]).all())


def _pick(scenes: StreetScenes, u: float, v: float) -> int:
    """A sign, of each category as often."""
    categories = np.array(CATEGORY)[scenes.kinds]
    known = np.unique(categories)
    rows = np.flatnonzero(categories == known[int(u * len(known))])
    return int(rows[int(v * len(rows))])


def _crop(scenes: StreetScenes, sign: int) -> np.ndarray:
    """(h, w, 3) uint8, a sign with all its pixels."""
    left, top, right, bottom = (int(edge) for edge in scenes.boxes[sign])
    return _read_crop(scenes.pictures.files[scenes.scene[sign]], scenes.pictures.reading, (left, top, right, bottom))


@functools.lru_cache(maxsize=4096)
def _read_crop(file: ImageFile, reading: Reading, box: tuple[int, int, int, int]) -> np.ndarray:
    left, top, right, bottom = box
    picture = CACHE.get(file, reading._replace(fitting=Fitting()))[:, top:bottom, left:right]
    return np.ascontiguousarray(np.broadcast_to(picture, (3, *picture.shape[1:])).transpose(1, 2, 0))


@functools.lru_cache(maxsize=512)
def _mask(kind: int, high: int, wide: int) -> np.ndarray:
    """(high, wide, 1) float32 in [0, 1], 1 within the shape of a sign of this class, with a soft edge."""
    mask = np.zeros((high, wide), np.float32)
    corners = None
    if CATEGORY[kind] == DANGER:
        corners = [(0.5, 0.0), (1.0, 1.0), (0.0, 1.0)]
    elif kind == GIVE_WAY:
        corners = [(0.0, 0.0), (1.0, 0.0), (0.5, 1.0)]
    elif kind == PRIORITY:
        corners = [(0.5, 0.0), (1.0, 0.5), (0.5, 1.0), (0.0, 0.5)]
    if corners is None:
        cv2.ellipse(mask, (wide // 2, high // 2), (wide // 2, high // 2), 0, 0, 360, 1.0, -1)
    else:
        points = np.array([(x * (wide - 1), y * (high - 1)) for x, y in corners])
        cv2.fillConvexPoly(mask, points.round().astype(np.int32), 1.0)
    radius = max(1, round(FEATHER * min(high, wide))) | 1
    return cv2.blur(mask, (radius, radius))[..., None]


def _paste(
    ground: np.ndarray, crop: np.ndarray, box: np.ndarray, kind: int, flipped: bool, gain: float, soft: float
) -> None:
    """Blend a sign (h, w, 3) into the ground (3, H, W), in place."""
    left, top = (max(0, round(float(edge))) for edge in box[:2])
    high, wide = (max(2, round(float(box[i + 2] - box[i]))) for i in (1, 0))
    window = ground[:, top : top + high, left : left + wide].transpose(1, 2, 0)
    shrinks = crop.shape[0] > high
    sign = cv2.resize(crop, (wide, high), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)
    if flipped:
        sign = sign[:, ::-1]
    if soft > 0.5:
        sign = cv2.blur(np.ascontiguousarray(sign), (3, 3))
    sign, mask = (
        sign[: window.shape[0], : window.shape[1]],
        _mask(kind, high, wide)[: window.shape[0], : window.shape[1]],
    )
    window[:] = np.clip(window + mask * (sign * np.float32(gain) - window), 0, 255).astype(np.uint8)
