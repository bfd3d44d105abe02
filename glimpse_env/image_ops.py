"""The loops over pixels that tasks of images need: plain, or compiled where Numba is installed."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from glimpse_env import affine, augmentation, retina, scenes
from glimpse_env.augmentation_strength import Augmentation
from glimpse_env.backend import Backend
from glimpse_env.rng import Array


class ImageOps(NamedTuple):
    """Functions that return the same numbers, bit for bit, in each of their forms.

    Attributes:
        paint: `glimpse_env.scenes.paint`, or as fast as can be.
        augment: `glimpse_env.augmentation.augment`, likewise.
        summed_area_table: `glimpse_env.retina.summed_area_table`, likewise.
        glimpse: `glimpse_env.retina.glimpse`, likewise.
        moved: `glimpse_env.affine.moved`, likewise.
    """

    paint: Callable[[Array, scenes.Plan, scenes.SceneConfig], Array]
    augment: Callable[[Array, augmentation.Changes, Augmentation], Array]
    summed_area_table: Callable[[Array], Array]
    glimpse: Callable[[Array, Array, retina.Retina], Array]
    moved: Callable[[Array, Array, Array], Array]


PLAIN = ImageOps(scenes.paint, augmentation.augment, retina.summed_area_table, retina.glimpse, affine.moved)


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
    from glimpse_env import compiled_augmentation, compiled_image_ops

    return ImageOps(
        compiled_image_ops.paint,
        compiled_augmentation.augment,
        compiled_image_ops.summed_area_table,
        compiled_image_ops.glimpse,
        compiled_image_ops.moved,
    )
