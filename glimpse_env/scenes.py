"""Cluttered canvases, as the reference generator of the RAM paper makes them.

Mnih et al. 2014, section 4.1, and DeepMind's published `mnist_cluttered` generator: distractors first, then the
image, both added to a black canvas and clamped. A distractor is a small crop, at a uniform position, of a
uniformly drawn *other* image of the same split. All ranges include both ends.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Literal, NamedTuple, get_args

import numpy as np
from array_api_compat import array_namespace, device

from glimpse_env.rng import Array, draw_words, integers

Blend = Literal["add", "max", "over"]
Order = Literal["random", "sequential"]


class SceneConfig(NamedTuple):
    """How a canvas is made.

    Attributes:
        size: (height, width) of the canvas in pixels, at least that of the images.
        pieces: number of distractors.
        piece_size: (height, width) of a distractor in pixels.
        blend: "add" (and clamp, the published task), "max", or "over" (the later piece covers the earlier). The
            last two are easier tasks: figures made with them do not compare with the paper's.
        overhang: how far, in pixels, the image may stick out of the canvas at each side; 0 in every published task.
            For training: a canvas no larger than its images shows them always in one place, and is soon memorised.
        centred: the image lies in the middle, and not at random; with an overhang, by up to so much away from it.
    """

    size: tuple[int, int] = (60, 60)
    pieces: int = 4
    piece_size: tuple[int, int] = (8, 8)
    blend: Blend = "add"
    overhang: int = 0
    centred: bool = False

    def check(self, images: tuple[int, ...], smallest: tuple[int, int] | None = None) -> None:
        """Refuse what `compose` could not make: it trusts its arguments.

        Args:
            images: shape of the images, (M, C, h, w); of the largest, where they differ.
            smallest: the least height and the least width; None where they do not differ.

        Raises:
            ValueError: for a canvas smaller than the images, a piece larger than they are or empty, too few images
                or an unknown blending.
        """
        if len(images) != 4 or min(images) < 1:
            raise ValueError(f"images must be (M, C, h, w) with none of them 0, got shape {tuple(images)}")
        least = tuple(smallest or images[2:])
        if self.size[0] < images[2] or self.size[1] < images[3]:
            raise ValueError(
                f"a canvas of size {self.size} is smaller than the images, {images[2:]}; make it larger, or shrink "
                'them with resize=, or fit="contain"'
            )
        if not 0 <= self.overhang < min(least):
            raise ValueError(f"overhang must be at least 0 and less than the images' {least}, got {self.overhang}")
        if self.blend not in get_args(Blend):
            raise ValueError(f"blend must be one of {', '.join(get_args(Blend))}, got {self.blend!r}")
        if self.pieces < 0:
            raise ValueError(f"pieces must be at least 0, got {self.pieces}")
        if self.pieces and images[0] < 2:
            raise ValueError("pieces are cut from other images: give at least two images, or set pieces to 0")
        if self.pieces and not (1 <= self.piece_size[0] <= least[0] and 1 <= self.piece_size[1] <= least[1]):
            raise ValueError(f"piece_size must be from (1, 1) to that of the images, {least}, got {self.piece_size}")


class Plan(NamedTuple):
    """The positions of everything on a batch of canvases. Positions are (x, y) of top left corners in pixels.

    Attributes:
        index: (N,) int64, which image each canvas shows.
        position: (N, 2) int64, of the image on the canvas; it may stick out by the overhang.
        other: (N, pieces) int64, which image each distractor is cut from.
        source: (N, pieces, 2) int64, of the distractor in that image.
        target: (N, pieces, 2) int64, of the distractor on the canvas.
    """

    index: Array
    position: Array
    other: Array
    source: Array
    target: Array


class Scenes(NamedTuple):
    """A batch of canvases.

    Attributes:
        canvas: (N, C, H, W) uint8.
        index: (N,) int64, which image each canvas shows.
        position: (N, 2) int64, the (x, y) of the image's top left corner in pixels.
    """

    canvas: Array
    index: Array
    position: Array


def compose(
    images: Array,
    seeds: Array,
    episodes: Array,
    config: SceneConfig,
    order: Order = "random",
    painter: Callable[[Array, Plan, SceneConfig], Array] | None = None,
) -> Scenes:
    """The scenes of the given episodes.

    Args:
        images: (M, C, h, w) uint8, the images of one split.
        seeds: (N,) int64.
        episodes: (N,) int64 episode numbers.
        config: size, clutter and blending.
        order: "random" draws the image; "sequential" shows image `episode % M`, so that M episodes show each once.
        painter: `paint`, or another that does the same.

    Returns:
        N scenes, each a pure function of its (seed, episode), the images and the configuration.
    """
    scheme = plan(images.shape, seeds, episodes, config, order)
    return Scenes((painter or paint)(images, scheme, config), scheme.index, scheme.position)


def plan(
    images: tuple[int, ...],
    seeds: Array,
    episodes: Array,
    config: SceneConfig,
    order: Order = "random",
    sizes: Array | None = None,
    index: Array | None = None,
) -> Plan:
    """The draws of `compose`.

    Args:
        images: the shape of the images, (M, C, h, w).
        seeds, episodes, config, order: as there.
        sizes: (M, 2) int64, height and width of each image, where they differ.
        index: (N,) int64, the images to be shown; None for those of `order`.
    """
    count, _, *shape = images
    xp, where, pieces, out = array_namespace(seeds), device(seeds), config.pieces, config.overhang
    words = draw_words(seeds, episodes, 3 + 5 * pieces)
    if index is None:
        index = integers(words[:, 0], count) if order == "random" else episodes % count

    def integer(*values: int) -> Array:
        return xp.asarray(values, dtype=xp.int64, device=where)

    def extent(chosen: Array) -> Array:
        """(…, 2) width and height of the chosen images, or (2,) where all have the same."""
        return integer(*shape[::-1]) if sizes is None else xp.flip(sizes[chosen], axis=-1)

    canvas, piece = integer(*config.size[::-1]), integer(*config.piece_size[::-1])
    room, middle = canvas - extent(index), 0
    if config.centred:
        room, middle = xp.zeros_like(room), room // 2
    position = integers(words[:, 1:3], room + (2 * out + 1)) + middle - out
    words = words[:, 3:].reshape(words.shape[0], pieces, 5)
    other = integers(words[..., 0], count - 1)
    other = other + xp.astype(other >= index[:, None], xp.int64)  # any image but the one shown
    source = integers(words[..., 1:3], extent(other) - piece + 1)
    target = integers(words[..., 3:], canvas - piece + 1)
    return Plan(index, position, other, source, target)


def paint(images: Array, scheme: Plan, config: SceneConfig) -> Array:
    """The canvases (N, C, H, W) uint8 of a plan."""
    xp, where, out = array_namespace(images), device(images), config.overhang
    _, channels, height, width = images.shape
    rows, columns = config.size[0] + 2 * out, config.size[1] + 2 * out  # trimmed at the end
    n = scheme.index.shape[0]
    batch = xp.arange(n, dtype=xp.int64, device=where)
    canvas = xp.zeros((n * channels * rows * columns,), dtype=xp.uint8, device=where)
    # In reverse, the image first: then it need not be blended with anything, and it is most of what is pasted.
    target = _window(batch, scheme.position + out, (height, width), (channels, rows, columns))
    canvas[target] = xp.take(images, scheme.index, axis=0)
    pixels, piece = images.reshape(-1), config.piece_size
    for number in reversed(range(config.pieces)):
        source = _window(scheme.other[:, number], scheme.source[:, number], piece, (channels, height, width))
        target = _window(batch, scheme.target[:, number] + out, piece, (channels, rows, columns))
        new, old = pixels[source], canvas[target]
        if config.blend == "add":
            canvas[target] = old + xp.minimum(new, 255 - old)
        elif config.blend == "max":
            canvas[target] = xp.maximum(old, new)
        else:
            canvas[target] = xp.where(old > 0, old, new)
    whole = canvas.reshape(n, channels, rows, columns)
    return whole[:, :, out : rows - out, out : columns - out]


def paint_rows(images: Any, scheme: Plan, config: SceneConfig) -> np.ndarray:
    """As `paint`, one canvas after the other, of images that need not be of one size.

    Args:
        images: a `Pictures`, or whatever else has a `shape` (M, C, …) and gives image i as (C, h, w) uint8.
        scheme: NumPy arrays.
        config: as there.
    """
    canvas = np.zeros((len(scheme.index), images.shape[1], *config.size), np.uint8)
    down, across = config.piece_size
    for row, below in enumerate(canvas):
        for other, (x, y), place in zip(scheme.other[row], scheme.source[row], scheme.target[row], strict=True):
            _paste(below, images[other][:, y : y + down, x : x + across], place, config.blend)
        _paste(below, images[scheme.index[row]], scheme.position[row], config.blend)
    return canvas


def _paste(canvas: np.ndarray, image: np.ndarray, corner: np.ndarray, blend: Blend) -> None:
    """Blend an image (C, h, w) onto a canvas (C, H, W), its corner at (x, y), as far as it is inside."""
    x, y = corner
    image = image[:, max(0, -y) :, max(0, -x) :]
    below = canvas[:, max(0, y) :, max(0, x) :][:, : image.shape[1], : image.shape[2]]
    above = image[:, : below.shape[1], : below.shape[2]]
    if blend == "add":
        below += np.minimum(above, 255 - below)
    elif blend == "max":
        np.maximum(below, above, out=below)
    else:
        np.copyto(below, above, where=above > 0)


def _window(plane: Array, corner: Array, window: tuple[int, int], planes: tuple[int, int, int]) -> Array:
    """Flat indices (N, C, h, w) of windows (h, w) at corners (N, 2) of planes (N,), among planes of shape (C, H, W)."""
    xp, where = array_namespace(plane), device(plane)
    channels, height, width = planes
    y = corner[:, 1, None] + xp.arange(window[0], dtype=xp.int64, device=where)
    x = corner[:, 0, None] + xp.arange(window[1], dtype=xp.int64, device=where)
    c = plane[:, None] * channels + xp.arange(channels, dtype=xp.int64, device=where)
    return (c[:, :, None, None] * height + y[:, None, :, None]) * width + x[:, None, None, :]
