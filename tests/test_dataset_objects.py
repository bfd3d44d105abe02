"""Datasets of other libraries as `images=`: objects that behave as torchvision's and Hugging Face's do."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Iterator
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from PIL import Image

from glimpse_env import dataset_objects
from glimpse_env.backend import get_backend
from glimpse_env.images import SPLITS, assign_splits, load_images
from glimpse_env.tasks import make_task

ID = "glimpse_env:Glimpse/Classify-v0"
COLOURS = np.random.default_rng(0).integers(0, 256, (40, 12, 16, 3), np.uint8)


class VisionDataset:
    """As torchvision's: pairs (image of Pillow, integer) by number, `transform`, and perhaps `classes`. It has no
    `__iter__`: Python's iteration over it ends with an IndexError, as here."""

    def __init__(self, images: Any = COLOURS, classes: Any = ("cat", "dog", "owl"), transform: Any = None) -> None:
        self.images, self.transform = images, transform
        if classes is not None:
            self.classes = list(classes)

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        image = self.images[index]
        image = Image.fromarray(image) if isinstance(image, np.ndarray) else image
        return image if self.transform is None else self.transform(image), index % 3

    def __len__(self) -> int:
        return len(self.images)

    def __deepcopy__(self, memo: Any) -> Any:
        raise AssertionError("it may be large")


class Feature:
    """As Hugging Face's `ClassLabel`."""

    def __init__(self, names: list[str]) -> None:
        self.names = names


class HuggingFace:
    """As Hugging Face's `Dataset`: an item is a dict; a column by its name is a list; `features` is a dict."""

    def __init__(self, columns: dict[str, Any], features: Any = None) -> None:
        self.columns, self.features = columns, {key: object() for key in columns} | (features or {})

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def __getitem__(self, key: Any) -> Any:
        if isinstance(key, str):
            return list(self.columns[key])
        return {name: values[key] for name, values in self.columns.items()}

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


def hugging_face(image: str = "image", label: str = "label", **more: Any) -> HuggingFace:
    columns = {image: [Image.fromarray(array) for array in COLOURS], label: [row % 3 for row in range(40)], **more}
    return HuggingFace(columns, {label: Feature(["cat", "dog", "owl"])})


def as_tensor(image: Image.Image) -> torch.Tensor:
    """As torchvision's `PILToTensor`: (C, h, w) uint8."""
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


def load(images: Any, **kwargs: Any) -> Any:
    return load_images(images, **kwargs)


# What is read


@pytest.mark.parametrize(
    "dataset",
    [
        VisionDataset(),
        VisionDataset(transform=np.asarray),
        VisionDataset(transform=as_tensor),
        VisionDataset(transform=lambda image: as_tensor(image).float() / 255),
        torch.utils.data.Subset(VisionDataset(), range(40)),  # type: ignore[arg-type]
        hugging_face(),
        hugging_face("img", "labels", other=[None] * 40),
        HuggingFace({"image": COLOURS, "label": np.arange(40) % 3}, {"label": Feature(["cat", "dog", "owl"])}),
        HuggingFace({"image": COLOURS, "label": [["cat", "dog", "owl"][row % 3] for row in range(40)]}),
    ],
    ids=["pillow", "array", "tensor", "floats", "subset", "dicts", "img", "dicts of arrays", "names"],
)
def test_pairs_are_what_arrays_are(dataset: Any) -> None:
    data = load(dataset)
    np.testing.assert_array_equal(data.images, COLOURS.transpose(0, 3, 1, 2))
    np.testing.assert_array_equal(data.labels, np.arange(40) % 3)
    assert data.names == ("cat", "dog", "owl")
    assert not data.images.flags.writeable


@pytest.mark.parametrize("split", [*SPLITS, None])
def test_splits_are_those_of_arrays(split: Any) -> None:
    data, arrays = load(VisionDataset(), split=split), load(COLOURS, labels=np.arange(40) % 3, split=split)
    np.testing.assert_array_equal(data.images, arrays.images)
    np.testing.assert_array_equal(data.labels, arrays.labels)


def test_names_are_given_or_numbers_or_the_datasets_own() -> None:
    assert load(VisionDataset(classes=None)).names == ("0", "1", "2")
    assert load(VisionDataset(), names=("a", "b", "c", "d")).names == ("a", "b", "c", "d")
    several = VisionDataset(classes=[("tench", "Tinca tinca"), ("goldfish",), "shark"])  # as ImageNet's
    assert load(several).names == ("tench, Tinca tinca", "goldfish", "shark")
    with pytest.raises(ValueError, match=r"not among .*: name the classes by names="):
        load(VisionDataset(classes=None)).with_classes(("cat", "dog"))


def test_grey_deep_and_transparent_pictures_are_read_as_files_are() -> None:
    grey = Image.fromarray(np.full((4, 4), 7, np.uint8))
    deep = Image.fromarray(np.full((4, 4), 257 * 9, np.uint16))
    clear = Image.new("LA", (4, 4), (0, 0))
    assert load(VisionDataset([grey] * 3)).images.shape == (3, 1, 4, 4)
    shades = load(VisionDataset([grey, deep, clear]), background=30).images
    assert shades[:, :, 0, 0].tolist() == [[7], [9], [30]]
    assert load(VisionDataset([grey, clear.convert("RGBA"), Image.new("RGB", (4, 4), "red")])).images.shape[1] == 3
    arrays = VisionDataset([grey] * 3, transform=lambda image: np.full((4, 4, 4), 0, np.uint8))
    assert (load(arrays, background=30).images == 30).all()
    assert (load(VisionDataset([grey] * 3, transform=lambda image: np.ones((4, 4), bool))).images == 255).all()
    assert (
        load(VisionDataset([grey] * 3, transform=lambda image: np.full((4, 4), 65535, np.uint16))).images == 255
    ).all()


def test_a_turned_photograph_is_upright() -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    image = Image.fromarray(COLOURS[0])
    image.info["exif"] = exif.tobytes()  # as Pillow keeps it after `convert`
    np.testing.assert_array_equal(
        load(VisionDataset([image] * 3)).images[0], np.rot90(COLOURS[0], -1).transpose(2, 0, 1)
    )


def test_pictures_of_many_sizes_are_padded_or_fitted() -> None:
    sizes = [(9, 14), (20, 6), (12, 12), (5, 5)] * 3
    images = [np.random.default_rng(row).integers(1, 256, (*size, 3), np.uint8) for row, size in enumerate(sizes)]
    settings = {"dataset": None, "split": "all", "order": "sequential", "patch": 4}
    numbers = np.zeros(12, np.int64), np.arange(12)
    for more in ({}, {"resize": 8}, {"fit": "contain", "size": (16, 24)}, {"fit": "cover", "resize": 10}):
        task = make_task("Classify-v0", get_backend("numpy"), images=VisionDataset(images), **settings, **more)
        boxes, canvases = task.target_boxes(*numbers), task.compose(*numbers).canvas
        for image, canvas, (left, top, right, bottom) in zip(images, canvases, boxes, strict=True):
            alone = {"images": image[None], "labels": [0], **settings, **more}
            shown = make_task("Classify-v0", get_backend("numpy"), **alone)
            expected = np.zeros_like(canvas)
            expected[:, top:bottom, left:right] = shown.images[0]
            np.testing.assert_array_equal(canvas, expected)
    held = make_task("Classify-v0", get_backend("numpy"), images=VisionDataset(images), **{**settings, "split": "test"})
    assert held.num_episodes == (assign_splits(np.arange(12) % 3) == 2).sum()


def test_every_environment_takes_one_and_copies_share_it() -> None:
    made = gym.make(ID, images=VisionDataset(), patch=4)
    twin = gym.make(made.spec)
    vector = gym.make_vec(ID, num_envs=3, images=hugging_face(), patch=4, backend="torch")
    glimpse = made.reset(seed=1)[0]["glimpse"]
    np.testing.assert_array_equal(twin.reset(seed=1)[0]["glimpse"], glimpse)
    np.testing.assert_array_equal(vector.reset(seed=1)[0]["glimpse"][0], glimpse)
    np.testing.assert_array_equal(copy.deepcopy(made).reset(seed=1)[0]["glimpse"], glimpse)
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(made)).reset(seed=1)[0]["glimpse"], glimpse)


# What is refused


class Stream:
    """As the iterable datasets of both libraries."""

    def __iter__(self) -> Iterator[Any]:
        return iter(VisionDataset())  # type: ignore[call-overload, no-any-return]


@pytest.mark.parametrize(
    ("dataset", "kwargs", "message"),
    [
        (VisionDataset(), {"labels": [0] * 40}, "leave labels out: those of a VisionDataset come from itself"),
        (VisionDataset(), {"names": ("a", "b")}, "labels go up to 2, and there are 2 names"),
        (VisionDataset(), {"fit": "cover"}, "fit='cover' of a dataset needs the canvas: give size= or resize="),
        (VisionDataset([]), {}, "no images: give at least one"),
        ({"train": VisionDataset(), "test": VisionDataset()}, {}, r"a dict of 'train', 'test': give one of them"),
        (Stream(), {}, "a Stream, which has no length"),
        (HuggingFace({"pixels": COLOURS, "label": [0] * 40}), {}, "item 0 has 'pixels', 'label': name .* 'image'"),
        (HuggingFace({"image": COLOURS, "label": [None] * 40}), {}, "the label of item 0 is None"),
        (HuggingFace({"image": COLOURS, "label": [0.5] * 40}), {}, "the label of item 0 is 0.5"),
        (
            HuggingFace({"image": COLOURS, "label": [-1] * 40}),
            {},
            r"labels lie in \[-1, -1\]: number the classes from 0",
        ),
        (HuggingFace({"image": COLOURS, "label": [0, "a"] * 20}), {}, "some labels are integers and some are names"),
        (HuggingFace({"image": [None] * 3, "label": [0] * 3}), {}, r"image 0 of the HuggingFace .* shape \(\)"),
        (VisionDataset(transform=lambda image: (image, image)), {}, "cannot be shown: "),
        (VisionDataset(transform=lambda image: as_tensor(image) - 0.5), {}, "its floats are from .* normalises"),
        (VisionDataset(transform=lambda image: as_tensor(image).long()), {}, "its numbers are int64: give uint8"),
        (VisionDataset(transform=lambda image: np.asarray(as_tensor(image))), {}, r"\(3, 12, 16\), not .* or \(height"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,  # no addresses: workers compare them
)
def test_what_is_no_dataset_of_pictures_is_refused(dataset: Any, kwargs: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(dataset, **kwargs)


@pytest.mark.parametrize("item", [(COLOURS[0],), (COLOURS[0], 0, 0), COLOURS[0]], ids=["one", "three", "image"])
def test_an_item_that_is_no_pair_is_refused(item: Any) -> None:
    class Wrong(VisionDataset):
        def __getitem__(self, index: int) -> Any:
            return item

    with pytest.raises(ValueError, match=r"item 0 is a .*: items are pairs"):
        load(Wrong())


def test_a_dataset_too_large_for_memory_is_refused_before_all_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    read: list[int] = []

    class Counting(VisionDataset):
        def __getitem__(self, index: int) -> Any:
            read.append(index)
            return super().__getitem__(index % 40)

        def __len__(self) -> int:
            return 4000

    size = COLOURS[0].nbytes
    monkeypatch.setattr(dataset_objects, "OBJECT_BYTES", 2000 * size)
    with pytest.raises(ValueError, match=r"4,000 images of the Counting would take about 2.20 MiB .* folder"):
        load(Counting())
    assert len(read) == dataset_objects.SAMPLE
    assert len(load(Counting(), resize=8).images) == 4000
    monkeypatch.setattr(dataset_objects, "OBJECT_BYTES", 30 * size)
    with pytest.raises(ValueError, match="would take about"):
        load(VisionDataset())


# The real ones, where they are installed


def test_torchvision() -> None:
    datasets = pytest.importorskip("torchvision.datasets")
    fake = datasets.FakeData(30, (3, 16, 20), 4)
    data = load(fake)
    np.testing.assert_array_equal(data.images[7], np.asarray(fake[7][0]).transpose(2, 0, 1))
    assert data.labels.tolist() == [int(fake[row][1]) for row in range(30)]
    assert gym.make(ID, images=fake, patch=4).unwrapped.task.num_episodes == 24


@pytest.mark.parametrize("format", [None, "numpy", "torch"])
def test_hugging_face(format: str | None) -> None:
    datasets = pytest.importorskip("datasets")
    features = datasets.Features(image=datasets.Image(), label=datasets.ClassLabel(names=["cat", "dog", "owl"]))
    columns = {"image": [Image.fromarray(array) for array in COLOURS], "label": [row % 3 for row in range(40)]}
    real = datasets.Dataset.from_dict(columns, features)
    data = load(real.with_format(format))
    np.testing.assert_array_equal(data.images, COLOURS.transpose(0, 3, 1, 2))
    assert data.names == ("cat", "dog", "owl")
    with pytest.raises(ValueError, match="a dict of 'train'"):
        load(datasets.DatasetDict(train=real))
    with pytest.raises(ValueError, match="has no length"):
        load(real.to_iterable_dataset())
