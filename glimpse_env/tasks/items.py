"""Images of different classes, drawn for an episode, and put into the cells of a canvas."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from glimpse_env.rng import Array, arrangement, draw_words, integers
from glimpse_env.tasks.arguments import check_choices
from glimpse_env.tasks.classify import Classify

CELLS = 3
"""Of a canvas, down and across."""


class Items:
    """So many images of different classes, for each episode.

    Args:
        scenes: whose images take part, one in the middle of each of its canvases.
        count: of the images.
        pool: so many classes take part, each with its first image; None for all classes and images.
        order: "random", or "sequential": the first image of episode k is image k of those that take part.

    Attributes:
        num_images: that take part.

    Raises:
        ValueError: where fewer classes than `count` take part, or for another order.
    """

    def __init__(self, scenes: Classify, count: int, pool: int | None, order: str) -> None:
        check_choices(order=order)
        backend = self.backend = scenes.backend
        self.scenes, self.count, self.in_order = scenes, count, order == "sequential"
        labels = backend.to_numpy(scenes.labels)
        counts = np.bincount(labels, minlength=len(scenes.answer_names))
        starts, classes = np.cumsum(counts) - counts, np.flatnonzero(counts)[:pool]
        if len(classes) < count:
            raise ValueError(
                f"{count} images of different classes are shown, and "
                f"{len(classes)} classes take part: take more, or a larger pool"
            )
        # Of the classes that take part: their images side by side, where each class begins, and how many it has.
        chosen = [starts[k] + np.arange(1 if pool else counts[k]) for k in classes]
        self.images = backend.asarray(np.argsort(labels, kind="stable")[np.concatenate(chosen)])
        sizes = np.array([len(rows) for rows in chosen])
        self.starts, self.sizes = backend.asarray(np.cumsum(sizes) - sizes), backend.asarray(sizes)
        self.class_of = backend.asarray(np.repeat(np.arange(len(classes)), sizes))
        self.num_images = int(sizes.sum())

    def numbered(self, episodes: Array) -> Array:
        """The numbers of these episodes (N,), which begin again once each image was the first."""
        return episodes % self.num_images if self.in_order else episodes

    def draw(self, seeds: Array, episodes: Array) -> Array:
        """(N, count) int64, the numbers of the images of these episodes (N,)."""
        xp, number = self.backend.xp, self.numbered(episodes)
        words = draw_words(seeds, number, 2 * self.count)
        own = self.class_of[number] if self.in_order else integers(words[:, 0], len(self.sizes))
        others = arrangement(words[:, 1 : self.count], len(self.sizes) - 1)
        kinds = xp.concat([own[:, None], others + xp.astype(others >= own[:, None], xp.int64)], axis=1)
        drawn = self.starts[kinds] + integers(words[:, self.count :], self.sizes[kinds])
        if self.in_order:
            drawn = xp.concat([number[:, None], drawn[:, 1:]], axis=1)
        return self.images[drawn]

    def placed(self, index: Sequence[Array], cells: Sequence[tuple[int, int]]) -> Array:
        """Canvases (N, C, H, W) uint8 with images (N,) in cells (row, column)."""
        seen = [self.scenes.alone(image) for image in index]
        n, channels, height, width = seen[0].shape
        size = (n, channels, CELLS * height, CELLS * width)
        canvas = self.backend.xp.zeros(size, dtype=seen[0].dtype, device=self.backend.device)
        for image, (row, column) in zip(seen, cells, strict=True):
            canvas[:, :, row * height : (row + 1) * height, column * width : (column + 1) * width] = image
        return canvas
