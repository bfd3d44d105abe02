"""Grey square images of one size: what several tasks place on canvases of their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from glimpse_env.backend import Backend
from glimpse_env.tasks.classify import Classify


def load_grey_squares(
    backend: Backend,
    *,
    dataset: str | None,
    images: Any,
    split: Any,
    labels: Any = None,
    names: Sequence[str] | None = None,
    classes: int | Sequence[str] | None = None,
    channels: int | None = None,
    resize: int | None = None,
) -> Classify:
    """The task that shows these images one by one, of which the images, labels and names are wanted.

    Raises:
        TypeError: for an argument that is none of these.
        ValueError: for images that are no grey squares of one size.
    """
    chosen = {"labels": labels, "names": names, "classes": classes, "channels": channels, "resize": resize}
    scene = Classify(backend, dataset=dataset, images=images, split=split, num_glimpses=1, **chosen)
    _, depth, height, width = scene.images.shape
    if scene.sizes is not None or depth != 1 or height != width:
        raise ValueError(
            f"this task takes grey squares of one size, and the images are {scene.images.shape[1:]}: channels=1 makes them "
            "grey"
        )
    return scene
