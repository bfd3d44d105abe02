"""Cluttered canvases, as the reference generator of the RAM paper makes them.

Mnih et al. 2014, section 4.1, and DeepMind's published `mnist_cluttered` generator: distractors first, then the
image, both added to a black canvas and clamped. A distractor is a small crop, at a uniform position, of a
uniformly drawn *other* image of the same split. All ranges include both ends.
"""

from __future__ import annotations

from typing import Literal, NamedTuple, get_args

from array_api_compat import array_namespace, device

from glimpse_env.draws import Array, draw_words, integers

Blend = Literal["add", "max", "over"]


class SceneConfig(NamedTuple):
    """How a canvas is made.

    Attributes:
        size: (height, width) of the canvas in pixels, at least that of the images.
        pieces: number of distractors.
        piece_size: (height, width) of a distractor in pixels.
        blend: "add" (and clamp, the published task), "max", or "over" (the later piece covers the earlier). The
            last two are easier tasks: figures made with them do not compare with the paper's.
    """

    size: tuple[int, int] = (60, 60)
    pieces: int = 4
    piece_size: tuple[int, int] = (8, 8)
    blend: Blend = "add"

    def check(self, images: tuple[int, ...]) -> None:
        """Refuse what `compose` could not make: it trusts its arguments.

        Args:
            images: shape of the images, (M, C, h, w).

        Raises:
            ValueError: for a canvas smaller than the images, a piece larger than they are or empty, too few images
                or an unknown blending.
        """
        if len(images) != 4 or min(images) < 1:
            raise ValueError(f"images must be (M, C, h, w) with none of them 0, got shape {tuple(images)}")
        if self.size[0] < images[2] or self.size[1] < images[3]:
            raise ValueError(f"a canvas of size {self.size} is smaller than the images, {images[2:]}; make it larger")
        if self.blend not in get_args(Blend):
            raise ValueError(f"blend must be one of {', '.join(get_args(Blend))}, got {self.blend!r}")
        if self.pieces < 0:
            raise ValueError(f"pieces must be at least 0, got {self.pieces}")
        if self.pieces and images[0] < 2:
            raise ValueError("pieces are cut from other images: give at least two images, or set pieces to 0")
        if self.pieces and not (1 <= self.piece_size[0] <= images[2] and 1 <= self.piece_size[1] <= images[3]):
            raise ValueError(
                f"piece_size must be from (1, 1) to that of the images, {images[2:]}, got {self.piece_size}"
            )


class Scenes(NamedTuple):
    """A batch of canvases.

    Attributes:
        canvas: (N, C, H, W) int32 in [0, 255].
        index: (N,) int64, which image each canvas shows.
        position: (N, 2) int64, the (x, y) of the image's top left corner in pixels.
    """

    canvas: Array
    index: Array
    position: Array


def compose(
    images: Array, seeds: Array, episodes: Array, config: SceneConfig, order: Literal["random", "sequential"] = "random"
) -> Scenes:
    """The scenes of the given episodes.

    Args:
        images: (M, C, h, w) uint8, the images of one split.
        seeds: (N,) int64.
        episodes: (N,) int64 episode numbers.
        config: size, clutter and blending.
        order: "random" draws the image; "sequential" shows image `episode % M`, so that M episodes show each once.

    Returns:
        N scenes, each a pure function of its (seed, episode), the images and the configuration.
    """
    xp = array_namespace(images, seeds)
    where = device(images)
    count, channels, height, width = images.shape
    canvas_height, canvas_width = config.size
    piece_height, piece_width = config.piece_size
    words = draw_words(seeds, episodes, 3 + 5 * config.pieces)
    index = integers(words[:, 0], count) if order == "random" else episodes % count
    position = xp.stack(
        [integers(words[:, 1], canvas_width - width + 1), integers(words[:, 2], canvas_height - height + 1)], axis=-1
    )
    n = index.shape[0]
    canvas = xp.zeros((n * channels * canvas_height * canvas_width,), dtype=xp.int32, device=where)
    flat = xp.reshape(images, (-1,))

    def paste(source: Array, left: Array, top: Array, x: Array, y: Array, rows: int, columns: int) -> None:
        """Blend images[source][:, top:top + rows, left:left + columns] into the canvas at (x, y)."""

        def window(plane: Array, top: Array, left: Array, height: int, width: int) -> Array:  # flat indices
            ys = top[:, None] + xp.arange(rows, dtype=xp.int64, device=where)
            xs = left[:, None] + xp.arange(columns, dtype=xp.int64, device=where)
            planes = plane[:, None] * channels + xp.arange(channels, dtype=xp.int64, device=where)
            return (planes[:, :, None, None] * height + ys[:, None, :, None]) * width + xs[:, None, None, :]

        new = xp.astype(flat[window(source, top, left, height, width)], xp.int32)
        target = window(xp.arange(n, dtype=xp.int64, device=where), y, x, canvas_height, canvas_width)
        if config.blend == "add":
            canvas[target] = xp.clip(canvas[target] + new, max=255)
        elif config.blend == "max":
            canvas[target] = xp.maximum(canvas[target], new)
        else:
            canvas[target] = xp.where(new > 0, new, canvas[target])

    for piece in range(config.pieces):
        draw = words[:, 3 + 5 * piece : 8 + 5 * piece]
        other = integers(draw[:, 0], max(count - 1, 1))
        other = (other + xp.astype(other >= index, xp.int64)) % count  # any image but the one shown
        paste(
            other,
            left=integers(draw[:, 1], width - piece_width + 1),
            top=integers(draw[:, 2], height - piece_height + 1),
            x=integers(draw[:, 3], canvas_width - piece_width + 1),
            y=integers(draw[:, 4], canvas_height - piece_height + 1),
            rows=piece_height,
            columns=piece_width,
        )
    zeros = xp.zeros_like(index)
    paste(index, zeros, zeros, position[:, 0], position[:, 1], height, width)
    return Scenes(xp.reshape(canvas, (n, channels, canvas_height, canvas_width)), index, position)
