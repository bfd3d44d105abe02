"""What the tasks about images share: the scene of an episode, its oracle and its metrics."""

from __future__ import annotations

from collections.abc import Sequence
from numbers import Integral
from typing import Any, Literal

import numpy as np

from glimpse_env.backend import Backend
from glimpse_env.datasets import load_dataset, load_images
from glimpse_env.decoding import BACKGROUND
from glimpse_env.digest import digest_of
from glimpse_env.image_ops import image_ops
from glimpse_env.images import SPLITS, Split, checked_resize
from glimpse_env.path_metrics import coverage, hit_rate, off_image
from glimpse_env.pictures import Pictures
from glimpse_env.retina import MAX_PIXELS, MAX_SCALES, Retina, check_size
from glimpse_env.rng import Array
from glimpse_env.scenes import Blend, Plan, SceneConfig, Scenes, paint_rows, plan
from glimpse_env.tasks.base import Task

PIXELS_A_GLIMPSE = 2**17
"""A glimpse without a table takes as long as summing up so many pixels, beside those that it reads."""


class ImageTask(Task):
    """A task about images on canvases (`glimpse_env.scenes`). A subclass sets `retina`.

    Attributes:
        images: (M, C, h, w) uint8, those of the split, on the backend; or `Pictures`, in their files.
        sizes: (M, 2) int64, height and width of each of the `Pictures`; None where all images have one size.
        full_sizes: (M, 2) int64, height and width of a list of image files before they were shrunk; else None.
        labels: (M,) int64.
        scene: how a canvas is made.
        ops: the loops over pixels.
    """

    paths = ("images",)
    splits = SPLITS
    variety = ("overhang",)
    images: Any
    canvas_size: tuple[int, int]
    image_size: tuple[int, int]
    retina: Retina

    def __init__(
        self,
        backend: Backend,
        *,
        dataset: str | None = "mnist",
        images: Any = None,
        labels: Any = None,
        names: Sequence[str] | None = None,
        classes: int | Sequence[str] | None = None,
        resize: int | None = None,
        background: int | tuple[int, int, int] = BACKGROUND,
        channels: int | None = None,
        split: Split = "train",
        size: int | tuple[int, int] | None = None,
        pieces: int = 0,
        piece_size: int | tuple[int, int] = 8,
        blend: Blend = "add",
        overhang: int = 0,
        order: Literal["random", "sequential"] = "random",
    ) -> None:
        super().__init__(backend)
        self.ops = image_ops(backend)
        if (images is None) == (dataset is None):
            raise ValueError(
                'pass either dataset (a name such as "mnist") or images (your own: a folder, .npz or arrays)'
            )
        if images is None and not (labels is None and names is None):
            raise ValueError("labels= and names= belong to images=; a named dataset has its own")
        if order not in ("random", "sequential"):
            raise ValueError(f'order must be "random" or "sequential", got {order!r}')
        if dataset is not None:
            data = load_dataset(dataset, split).resized(checked_resize(resize))
        else:
            data = load_images(images, labels, split, names, resize=resize, background=background)
        if classes is not None:
            data = data.with_classes(classes)
        data = data.with_channels(channels)
        self.answer_names = data.names
        self.source = data.source
        self.image_size = data.images.shape[2], data.images.shape[3]
        if isinstance(data.images, Pictures):
            self.images, self.smallest_size = data.images, data.images.smallest
            self.sizes = backend.asarray(data.images.sizes)
        else:
            self.images, self.smallest_size, self.sizes = backend.asarray(data.images), self.image_size, None
        self.labels = backend.asarray(data.labels)
        self.full_sizes = data.full_sizes
        self.num_episodes, self.order = len(data.labels), order
        self.canvas_size = pair(self.image_size if size is None else size)
        self.scene = SceneConfig(self.canvas_size, pieces, pair(piece_size), blend, overhang)
        self.scene.check(data.images.shape, self.smallest_size)
        if not self.fills_canvas:
            check_size(self.canvas_size)
        (height, width), channels = self.canvas_size, data.images.shape[1]
        self.row_bytes = channels * (height * width + 4 * (height + 1) * (width + 1))

    @property
    def fills_canvas(self) -> bool:
        """Whether the image to be recognised is all that the canvas shows."""
        scene = self.scene
        return self.sizes is None and self.canvas_size == self.image_size and not scene.pieces and not scene.overhang

    def choose_tables(self, glimpses: int) -> bool:
        """Whether each episode is to have a canvas and a table of its sums, or so many glimpses are taken from the
        image itself: on the host, of a large image that fills the canvas, where that is less work. Either way what is
        seen is the same, bit for bit. Without tables `row_bytes` is 0, and states that are saved are of another form.

        Raises:
            ValueError: for a canvas that is too large for a table.
        """
        (height, width), retina = self.canvas_size, self.retina
        window = retina.patch[0] * retina.patch[1] << 2 * (retina.scales - 1)
        less = height * width > min(MAX_PIXELS, glimpses * (window + PIXELS_A_GLIMPSE))
        if self.fills_canvas and self.backend.on_host and retina.scales <= MAX_SCALES and less:
            self.row_bytes = 0
            return False
        check_size(self.canvas_size)
        return True

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.answer_names}

    def digest(self) -> str:  # noqa: D102
        images = self.images.digest() if isinstance(self.images, Pictures) else self.backend.to_numpy(self.images)
        return digest_of(images, self.backend.to_numpy(self.labels), self.answer_names)

    def compose(self, seeds: Array, episodes: Array) -> Scenes:
        """The scenes of these episodes, both (N,) int64."""
        scheme = self._plan(seeds, episodes)
        if self.sizes is None:
            return Scenes(self.ops.paint(self.images, scheme, self.scene), scheme.index, scheme.position)
        on_host = Plan(*map(self.backend.to_numpy, scheme))
        canvas = self.backend.asarray(paint_rows(self.images, on_host, self.scene))
        return Scenes(canvas, scheme.index, scheme.position)

    def _plan(self, seeds: Array, episodes: Array) -> Plan:
        return plan(tuple(self.images.shape), seeds, episodes, self.scene, self.order, self.sizes)

    def canvas(self, seed: int, episode: int) -> np.ndarray:  # noqa: D102
        seeds, episodes = (self.backend.asarray([number], "int64") for number in (seed, episode))
        if self.fills_canvas:  # the image itself, which may be large
            return self.backend.to_numpy(self.images[int(self._plan(seeds, episodes).index[0])]).transpose(1, 2, 0)
        return self.backend.to_numpy(self.compose(seeds, episodes).canvas[0]).transpose(1, 2, 0)

    def target_boxes(self, seeds: Array, episodes: Array) -> Array:
        """(N, 4) int64 left, top, right, bottom in pixels of the image to be recognised.

        With an overhang it may stick out of the canvas.
        """
        xp, scheme = self.backend.xp, self._plan(seeds, episodes)
        size = self.backend.asarray([self.image_size], "int64") if self.sizes is None else self.sizes[scheme.index]
        return xp.concat([scheme.position, scheme.position + xp.flip(size, axis=1)], axis=1)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the middle of the image to be recognised, at every glimpse; clipped to the canvas."""
        xp, boxes = self.backend.xp, self.target_boxes(seeds, episodes)
        size = self.backend.asarray([[self.canvas_size[1], self.canvas_size[0]]], "float32")
        middle = self.backend.clip(xp.astype(boxes[:, :2] + boxes[:, 2:], xp.float32) / size - 1, -1.0, 1.0)
        return xp.tile(middle[:, None], (1, self.horizon - 1, 1))

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy; coverage; fixations off the canvas; where the image does not fill the canvas, the share of hits on it."""
        metrics = super().path_metrics(path, seeds, episodes)
        metrics["attention/coverage"] = coverage(path, self.canvas_size, self.retina)
        metrics["attention/off_image"] = off_image(path)
        if self.smallest_size != self.canvas_size:
            boxes = self.target_boxes(self.backend.asarray(seeds), self.backend.asarray(episodes))
            metrics["attention/target_hit_rate"] = hit_rate(path, self.backend.to_numpy(boxes), self.canvas_size)
        return metrics

    def class_shapes(self) -> np.ndarray | None:  # noqa: D102
        if self.sizes is not None:
            return None
        images, labels = self.backend.to_numpy(self.images), self.backend.to_numpy(self.labels)
        shapes = np.zeros((len(self.answer_names), *self.image_size))
        for label in np.unique(labels):
            shapes[label] = images[labels == label].mean((0, 1)) / 255
        return shapes


def pair(value: Any) -> tuple[int, int]:
    """(height, width) from one integer or two, of Python or NumPy.

    Raises:
        ValueError: for anything else.
    """
    try:
        height, width = (value, value) if isinstance(value, Integral) else value
    except (TypeError, ValueError):
        height = width = None
    if not (isinstance(height, Integral) and isinstance(width, Integral)):
        raise ValueError(f"size, patch and piece_size are one integer or two, (height, width), got {value!r}")
    return int(height), int(width)
