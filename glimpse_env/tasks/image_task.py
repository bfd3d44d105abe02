"""What the tasks about labelled images share: the images, and the scene of an episode."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.augmentation import Changes, augment_boxes, draw_changes
from glimpse_env.augmentation_strength import parse_augmentation
from glimpse_env.backend import Backend
from glimpse_env.dataset_objects import SharedDataset, is_dataset
from glimpse_env.datasets import load_dataset, load_images
from glimpse_env.decoding import BACKGROUND
from glimpse_env.digest import digest_of
from glimpse_env.fitting import Fit, Fitting
from glimpse_env.images import SPLITS, Split
from glimpse_env.notices import in_bytes
from glimpse_env.pictures import Pictures
from glimpse_env.retina import MAX_PIXELS, MAX_SCALES
from glimpse_env.rng import Array
from glimpse_env.scenes import Blend, Plan, SceneConfig, Scenes, paint_rows, plan
from glimpse_env.tasks.arguments import check_choices
from glimpse_env.tasks.glimpsing import pair
from glimpse_env.tasks.looking import Looking
from glimpse_env.tasks.records import State

PIXELS_A_GLIMPSE = 2**17
"""A glimpse without a table takes as long as summing up so many pixels, beside those that it reads."""


class ImageTask(Looking):
    """A task about labelled images on canvases (`glimpse_env.scenes`).

    Attributes:
        images: (M, C, h, w) uint8, those of the split, on the backend; or `Pictures`, in their files.
        sizes: (M, 2) int64, height and width of each of the `Pictures`; None where all images have one size.
        full_sizes: (M, 2) int64, height and width of a list of image files before they were shrunk; else None.
        labels: (M,) int64.
        own: whether the images are the user's own, and no named dataset.
        scene: how a canvas is made.
        augmentation: how it is changed then; None for not at all.
        bare: whether each canvas is an image as it is. Without tables, glimpses and overviews are then taken from the
            images themselves.
        fitting: how images go onto the canvas.
    """

    shows_pictures = True
    paths = ("images",)
    splits = SPLITS
    variety = ("overhang", "augment")
    images: Any
    image_size: tuple[int, int]

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
        fit: Fit = "pad",
        background: int | tuple[int, int, int] = BACKGROUND,
        channels: int | None = None,
        split: Split = "train",
        size: int | tuple[int, int] | None = None,
        pieces: int = 0,
        piece_size: int | tuple[int, int] = 8,
        blend: Blend = "add",
        overhang: int = 0,
        augment: Any = None,
        order: Literal["random", "sequential"] = "random",
        overview: int | tuple[int, int] | None = None,
        **looking: Any,
    ) -> None:
        super().__init__(backend, **looking)
        if (images is None) == (dataset is None):
            raise ValueError(
                'pass either dataset (a name such as "mnist") or images (your own: a folder, .npz or arrays)'
            )
        if images is None and not (labels is None and names is None):
            raise ValueError("labels= and names= belong to images=; a named dataset has its own")
        check_choices(order=order)
        if is_dataset(images):
            self.arguments["images"] = images if isinstance(images, SharedDataset) else SharedDataset(images)
        canvas = None if size is None else pair(size)
        fitting = Fitting.of(fit, resize, canvas)
        if dataset is not None:
            data = load_dataset(dataset, split).fitted(fitting)
        else:
            data = load_images(images, labels, split, names, resize=resize, background=background, fit=fit, size=canvas)
        self.own = dataset is None
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
        self.full_sizes, self.fitting = data.full_sizes, fitting
        self.num_episodes, self.order = len(data.labels), order
        size = canvas or fitting.canvas or self.image_size
        self.scene = SceneConfig(size, pieces, pair(piece_size), blend, overhang, fit != "pad")
        self.scene.check(data.images.shape, self.smallest_size)
        self.fills_canvas = self.smallest_size == size
        self.padded = self.own and not pieces
        self.augmentation = parse_augmentation(augment)
        self.bare = self.sizes is None and self.image_size == size and not pieces and not overhang
        self.bare = self.bare and self.augmentation is None
        space = spaces.Discrete(len(self.answer_names))
        self.look(data.images.shape[1], size, space, "class", overview, bare=self.bare)

    def wants_tables(self, size: tuple[int, int]) -> bool:
        """For few pixels, too, or where glimpses cannot be had without: there a table is less work than glimpses that are
        taken one by one."""
        wanted = super().wants_tables(size)
        if not self.bare or not self.backend.on_host or self.retina.scales > MAX_SCALES:
            return wanted
        window = self.retina.patch[0] * self.retina.patch[1] << 2 * (self.retina.scales - 1)
        return wanted and size[0] * size[1] <= min(MAX_PIXELS, self.horizon * (window + PIXELS_A_GLIMPSE))

    def names(self) -> dict[str, tuple[str, ...]]:  # noqa: D102
        return {"classes": self.answer_names}

    def digest(self) -> str:  # noqa: D102
        images = self.images.digest() if isinstance(self.images, Pictures) else self.backend.to_numpy(self.images)
        return digest_of(images, self.backend.to_numpy(self.labels), self.answer_names)

    def scenes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:  # noqa: D102
        made = self.compose(seeds, episodes)
        return made.canvas, self.backend.xp.take(self.labels, made.index, axis=0)

    def compose(self, seeds: Array, episodes: Array, index: Array | None = None) -> Scenes:
        """The scenes of these episodes, both (N,) int64; `position` is that before augmentation.

        `index` (N,) int64 are the images to be shown, in place of those that are drawn.
        """
        scheme = self.planned(seeds, episodes, index)
        canvas = self._painted(scheme, self.scene)
        if self.augmentation is not None:
            canvas = self.ops.augment(canvas, self._changes(seeds, episodes, self._boxes(scheme)), self.augmentation)
        return Scenes(canvas, scheme.index, scheme.position)

    def alone(self, index: Array) -> Array:
        """Canvases (N, C, H, W) uint8 of these images (N,) in the middle, with nothing else."""
        xp, canvas = self.backend.xp, self.backend.asarray(self.scene.size, "int64")
        size = self.backend.asarray([self.image_size], "int64") if self.sizes is None else self.sizes[index]
        position = xp.flip((canvas - size) // 2, axis=1) + xp.zeros_like(index)[:, None]
        none = xp.zeros((index.shape[0], 0), dtype=xp.int64, device=self.backend.device)
        places = xp.zeros((index.shape[0], 0, 2), dtype=xp.int64, device=self.backend.device)
        return self._painted(Plan(index, position, none, places, places), self.scene._replace(pieces=0, overhang=0))

    def _painted(self, scheme: Plan, scene: SceneConfig) -> Array:
        if self.sizes is None:
            return self.ops.paint(self.images, scheme, scene)
        on_host = Plan(*map(self.backend.to_numpy, scheme))
        return self.backend.asarray(paint_rows(self.images, on_host, scene))

    def planned(self, seeds: Array, episodes: Array, index: Array | None = None) -> Plan:
        """What `compose` paints."""
        return plan(tuple(self.images.shape), seeds, episodes, self.scene, self.order, self.sizes, index)

    def shown(self, seeds: Array, episodes: Array) -> tuple[State, Array]:  # noqa: D102
        if self.tables or not self.bare:
            return super().shown(seeds, episodes)
        index = self.planned(seeds, episodes).index
        shown = {"image": index}
        if self.cells is not None:
            shown["overview"] = self.ops.overview_of_images(self.images, index, self.cells)
        return shown, self.backend.xp.take(self.labels, index, axis=0)

    def glimpse(self, state: State) -> Array:  # noqa: D102
        if self.tables or not self.bare:
            return super().glimpse(state)
        return self.ops.glimpse_of_images(self.images, state["image"], state["location"], self.retina)

    def canvas(self, seed: int, episode: int) -> np.ndarray:  # noqa: D102
        if not self.bare:
            return super().canvas(seed, episode)
        seeds, episodes = (self.backend.asarray([number], "int64") for number in (seed, episode))
        image = self.images[int(self.planned(seeds, episodes).index[0])]  # itself, which may be large
        return self.backend.to_numpy(image).transpose(1, 2, 0)

    def _boxes(self, scheme: Plan) -> Array:
        """As `target_boxes`, before augmentation."""
        xp = self.backend.xp
        size = self.backend.asarray([self.image_size], "int64") if self.sizes is None else self.sizes[scheme.index]
        return xp.concat([scheme.position, scheme.position + xp.flip(size, axis=1)], axis=1)

    def _changes(self, seeds: Array, episodes: Array, boxes: Array) -> Changes:
        assert self.augmentation is not None
        return draw_changes(seeds, episodes, self.augmentation, (self.images.shape[1], *self.canvas_size), boxes)

    def target_boxes(self, seeds: Array, episodes: Array, index: Array | None = None) -> Array:
        """(N, 4) int64 left, top, right, bottom in pixels of the image to be recognised; `index` as in `compose`.

        With an overhang, or augmentation, it may stick out of the canvas.
        """
        boxes = self._boxes(self.planned(seeds, episodes, index))
        if self.augmentation is None:
            return boxes
        return augment_boxes(boxes, self._changes(seeds, episodes, boxes), self.canvas_size)

    def images_in_words(self) -> str:  # noqa: D102
        ends = [f"{height}×{width}" for height, width in (self.smallest_size, self.image_size)]
        sizes = ends[0] if ends[0] == ends[1] else " to ".join(ends)
        lazily = isinstance(self.images, Pictures)
        where = self.images.room() if lazily else f"in memory ({in_bytes(math.prod(self.images.shape))})"
        return f"{self.num_episodes:,} images of {sizes} pixels {where}"

    def class_shapes(self) -> np.ndarray | None:  # noqa: D102
        if self.sizes is not None:
            return None
        images, labels = self.backend.to_numpy(self.images), self.backend.to_numpy(self.labels)
        shapes = np.zeros((len(self.answer_names), *self.image_size))
        for label in np.unique(labels):
            shapes[label] = images[labels == label].mean((0, 1)) / 255
        return shapes
