"""The loops over pixels that tasks of images need: plain, or compiled where Numba is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from glimpse_env import affine, augmentation, overview, retina, scenes
from glimpse_env.augmentation_strength import Augmentation
from glimpse_env.backend import Backend
from glimpse_env.rng import Array


class ImageOps(NamedTuple):
    """Functions that return the same numbers, bit for bit, in each of their forms.

    Attributes:
        compiled: whether they are, so that a table of a canvas's sums is not worth its making.
        paint: `glimpse_env.scenes.paint`, or as fast as can be.
        augment: `glimpse_env.augmentation.augment`, likewise.
        moved: `glimpse_env.affine.moved`, likewise.
        glimpse_of_images: `glimpse_env.retina.glimpse_of_images`, likewise.
        overview_of_images: `glimpse_env.overview.overview_of_images`, likewise.
    """

    compiled: bool
    paint: Callable[[Array, scenes.Plan, scenes.SceneConfig], Array]
    augment: Callable[[Array, augmentation.Changes, Augmentation], Array]
    moved: Callable[[Array, Array, Array], Array]
    glimpse_of_images: Callable[[Array, Array, Array, retina.Retina], Array]
    overview_of_images: Callable[[Array, Array, tuple[int, int]], Array]


PLAIN = ImageOps(
    False,
    scenes.paint,
    augmentation.augment,
    affine.moved,
    retina.glimpse_of_images,
    overview.overview_of_images,
)


def image_ops(backend: Backend) -> ImageOps:
    """The fastest for this backend's arrays: Numba's on the host, where there is Numba and it may compile."""
    if not backend.on_host:
        return PLAIN
    try:
        from numba import config
    except ImportError:
        return PLAIN
    if getattr(config, "DISABLE_JIT", 0):  # else each pixel would be Python's
        return PLAIN
    from glimpse_env import compiled_augmentation, compiled_image_ops, compiled_retina

    return ImageOps(
        True,
        compiled_image_ops.paint,
        compiled_augmentation.augment,
        compiled_image_ops.moved,
        compiled_retina.glimpse_of_images,
        compiled_retina.overview_of_images,
    )
