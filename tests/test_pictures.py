"""Pictures of many sizes, which stay in their files: the same episodes as of arrays, within a bound of memory."""

from __future__ import annotations

import copy
import pickle
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from gymnasium.vector import SyncVectorEnv
from PIL import Image

import glimpse_env.free_memory
import glimpse_env.images
from agents.config import AgentConfig
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from glimpse_env import pictures, scenes
from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN
from glimpse_env.images import load_images
from glimpse_env.pictures import Pictures
from glimpse_env.tasks import make_task
from runs.environments import make_canvas_env, make_env
from runs.traces.heat import heat

ID = "glimpse_env:Glimpse/Classify-v0"
SIZES = [(9, 14), (20, 6), (12, 12), (5, 5), (20, 16)]


@pytest.fixture(autouse=True)
def empty_cache(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "CACHE", pictures.PictureCache())


def picture(row: int, size: tuple[int, int], channels: int = 3) -> np.ndarray:
    return np.random.default_rng(row).integers(1, 256, (*size, channels), np.uint8)


def write(folder: Path, sizes: Any, channels: int = 3) -> str:
    """A folder of as many pictures, in two classes in turn."""
    for row, size in enumerate(sizes):
        path = folder / "ab"[row % 2] / f"{row:03}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture(row, size, channels).squeeze()).save(path)
    return str(folder)


@pytest.fixture
def mixed(tmp_path: Path) -> str:
    return write(tmp_path / "mixed", SIZES * 4)


@pytest.fixture
def lazy(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if the folder were large."""
    monkeypatch.setattr(glimpse_env.images, "DENSE_BYTES", 0)
    glimpse_env.images._read.cache_clear()
    glimpse_env.images._read_split.cache_clear()


def task_of(images: Any, backend: str = "numpy", **kwargs: Any) -> Any:
    settings = {"dataset": None, "patch": 4, "scales": 2, "num_glimpses": 3, "split": "all", **kwargs}
    return make_task("Classify-v0", get_backend(backend), images=images, **settings)


# The same as arrays


@pytest.mark.parametrize("channels", [1, 3])
@pytest.mark.parametrize("split", ["all", "train", "test"])
def test_a_large_folder_of_one_size_is_what_a_small_one_is(
    tmp_path: Path, request: pytest.FixtureRequest, channels: int, split: Any
) -> None:
    folder = write(tmp_path, [(9, 14)] * 20, channels)
    settings = {"split": split, "size": (20, 30), "pieces": 3, "piece_size": (4, 5), "overhang": 2}
    dense = task_of(folder, **settings)
    request.getfixturevalue("lazy")
    in_files = task_of(folder, **settings)
    assert isinstance(dense.images, np.ndarray)
    assert isinstance(in_files.images, Pictures)
    assert in_files.images.shape == dense.images.shape
    numbers = np.full(50, 3), np.arange(50)
    states = [task.begin(*numbers) for task in (dense, in_files)]
    for key, value in states[0].items():
        np.testing.assert_array_equal(states[1][key], value)
    np.testing.assert_array_equal(in_files.target_boxes(*numbers), dense.target_boxes(*numbers))
    np.testing.assert_array_equal(in_files.gaze("oracle", *numbers), dense.gaze("oracle", *numbers))


@pytest.mark.parametrize("blend", ["add", "max", "over"])
@pytest.mark.parametrize("overhang", [0, 3, 13])
@pytest.mark.parametrize("pieces", [0, 4])
def test_one_canvas_after_the_other_is_painted_as_all_at_once(blend: Any, overhang: int, pieces: int) -> None:
    rng = np.random.default_rng(pieces)
    images = (rng.integers(1, 256, (9, 2, 14, 18)) * (rng.random((9, 2, 14, 18)) > 0.4)).astype(np.uint8)
    config = scenes.SceneConfig((17, 30), pieces, (5, 4), blend, overhang)
    scheme = scenes.plan(images.shape, np.full(64, 3), np.arange(64), config)
    np.testing.assert_array_equal(scenes.paint_rows(images, scheme, config), scenes.paint(images, scheme, config))


# Many sizes


def test_each_picture_lies_anywhere_in_the_room_it_leaves(mixed: str) -> None:
    task = task_of(mixed, order="sequential")
    assert task.canvas_size == task.image_size == (20, 16)
    assert not task.fills_canvas
    seeds, episodes = np.zeros(2000, np.int64), np.arange(2000)
    canvases, boxes = task.compose(seeds, episodes).canvas, task.target_boxes(seeds, episodes)
    found: dict[tuple[int, int], set[tuple[int, int]]] = {}
    order = np.argsort([row % 2 for row in range(20)], kind="stable")
    for canvas, (left, top, right, bottom), episode in zip(canvases, boxes, episodes, strict=True):
        row = int(order[episode % 20])
        expected = np.zeros((3, 20, 16), np.uint8)
        expected[:, top:bottom, left:right] = picture(row, SIZES[row % 5]).transpose(2, 0, 1)
        np.testing.assert_array_equal(canvas, expected)
        found.setdefault(SIZES[row % 5], set()).add((int(top), int(left)))
    for (height, width), places in found.items():
        assert {top for top, _ in places} == set(range(20 - height + 1))
        assert {left for _, left in places} == set(range(16 - width + 1))


def test_pieces_are_cut_from_anywhere_in_pictures_of_many_sizes(mixed: str) -> None:
    task = task_of(mixed, pieces=3, piece_size=(5, 4), size=30)
    scheme = task.planned(np.zeros(3000, np.int64), np.arange(3000))
    assert (scheme.other != scheme.index[:, None]).all()
    room = task.sizes[scheme.other][..., ::-1] - (4, 5)
    assert (scheme.source >= 0).all()
    assert (scheme.source <= room).all()
    assert (scheme.source == room).all(-1).any()
    assert (scheme.source[room > 0] > 0).any()


def test_every_face_shows_the_same(mixed: str) -> None:
    settings = {"images": mixed, "patch": 6, "scales": 2, "pieces": 2, "piece_size": 4, "split": "train"}
    alone = SyncVectorEnv([lambda: gym.make(ID, **settings)] * 5)
    faces = [alone, gym.make_vec(ID, num_envs=5, **settings), gym.make_vec(ID, num_envs=5, backend="torch", **settings)]
    for env in faces:
        env.action_space.seed(0)
    seen = [[env.reset(seed=3)[0]["glimpse"]] for env in faces]
    for _ in range(10):
        action = alone.action_space.sample()
        for env, glimpses in zip(faces, seen, strict=True):
            glimpses.append(env.step(action)[0]["glimpse"])
    for other in seen[1:]:
        np.testing.assert_array_equal(np.stack(seen[0]), np.stack([np.asarray(glimpse) for glimpse in other]))
    alone.close()


def test_the_oracle_looks_at_each_picture_and_hits_it(mixed: str) -> None:
    task = task_of(mixed, size=40)
    seeds, episodes = np.zeros(60, np.int64), np.arange(60)
    path = np.concatenate([np.zeros((60, 1, 2), np.float32), task.gaze("oracle", seeds, episodes)], axis=1)
    assert task.path_metrics(path, seeds, episodes)["attention/target_hit_rate"] == 1
    assert task.class_shapes() is None


def test_what_does_not_fit_the_smallest_or_the_largest_picture_is_refused(mixed: str) -> None:
    for settings, message in (
        ({"size": 18}, r"smaller than the images, \(20, 16\); make it larger, or shrink them with resize="),
        ({"pieces": 1, "piece_size": 6}, r"piece_size must be from .* to that of the images, \(5, 5\)"),
        ({"overhang": 5}, r"less than the images' \(5, 5\)"),
    ):
        with pytest.raises(ValueError, match=message):
            task_of(mixed, **settings)


# Memory


def test_only_so_many_bytes_of_pictures_are_kept(mixed: str, lazy: None, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pictures, "CACHE_BYTES", 2500)
    images = load_images(mixed).images
    decoded: list[str] = []
    real = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda path, *how: decoded.append(path) or real(path, *how))
    for index in (0, 1, 0, 1):
        assert images[index].shape == (3, *images.sizes[index])  # type: ignore[union-attr]
    assert len(decoded) == len(set(decoded)) <= 2
    for index in range(20):
        assert images[index].nbytes == 3 * np.prod(images.sizes[index])  # type: ignore[union-attr]
        assert pictures.CACHE.bytes <= 2500
    decoded.clear()
    images[19]
    assert not decoded
    images[0]
    assert len(decoded) == 1


def test_a_large_folder_is_not_decoded_before_it_is_shown(
    mixed: str, lazy: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    decoded: list[str] = []
    real = pictures.decode
    monkeypatch.setattr(pictures, "decode", lambda path, *how: decoded.append(path) or real(path, *how))
    load_images(mixed)
    assert len(decoded) == 1  # the first is of colour, and so the set


def test_copies_have_no_pixels(mixed: str) -> None:
    images = load_images(mixed).images
    for twin in (copy.deepcopy(images), pickle.loads(pickle.dumps(images))):
        np.testing.assert_array_equal(twin[3], images[3])
    assert len(pickle.dumps(images)) < 20 * 200 < sum(image.nbytes for image in images)  # type: ignore[union-attr]


def test_a_small_folder_is_decoded_at_once_so_that_damaged_files_are_found(mixed: str) -> None:
    path = Path(mixed, "a", "006.png")
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(ValueError, match=r"006.png cannot be read as an image"):
        load_images(mixed)


def test_a_damaged_file_of_a_large_folder_is_found_when_it_is_shown(mixed: str, lazy: None) -> None:
    path = Path(mixed, "a", "006.png")
    path.write_bytes(path.read_bytes()[:-40])
    env = gym.make(ID, images=mixed, split="all", order="sequential")
    env.reset(seed=0, options={"episode": 2})
    with pytest.raises(ValueError, match=r"006.png cannot be read as an image"):
        env.reset(options={"episode": 3})


def test_a_file_that_changes_while_it_is_used_is_said(mixed: str, lazy: None) -> None:
    """Of another size in pixels or not; what was seen before is still shown."""
    images = load_images(mixed).images
    before = images[2].copy()
    for size in (SIZES[1][::-1], (3, 3)):
        for name in ("004", "006"):
            Image.new("RGB", size, (1, 2, 3)).save(Path(mixed, "a", f"{name}.png"))
        for _ in range(2):
            with pytest.raises(ValueError, match=r"006.png has changed since the folder was read"):
                images[3]
        np.testing.assert_array_equal(images[2], before)
    assert load_images(mixed).images[3].shape == (3, 3, 3)


@pytest.mark.parametrize("face", ["numpy", "torch"])
def test_more_canvases_than_memory_holds_are_refused(face: str, images: str) -> None:
    settings = {"images": images, "patch": 4, "backend": face, "size": 2000}
    message = r"100,000 canvases of 2000×2000 pixels take [\d,.]+ GiB, and [\d,.]+ GiB of memory are free: .*resize="
    with pytest.raises(ValueError, match=message):
        gym.make_vec(ID, num_envs=100_000, **settings)
    env = gym.make_vec("glimpse_env:Glimpse/Copy-v0", num_envs=1000)  # which has no canvas
    assert env.num_envs == 1000


def test_the_limit_of_a_container_counts(images: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "memory.max").write_text("1000000\n")
    (tmp_path / "memory.current").write_text("900000\n")
    (tmp_path / "memory.stat").write_text("anon 900000\ninactive_file 0\nactive_file 0\n")
    monkeypatch.setattr(glimpse_env.free_memory, "CGROUP", tmp_path)
    assert gym.make_vec(ID, num_envs=200, images=images, patch=4, size=9).num_envs == 200  # 81 bytes, or 481, each
    for face in (
        lambda: gym.make_vec(ID, num_envs=300, images=images, size=20),
        lambda: gym.make(ID, images=images, size=350),
    ):
        with pytest.raises(ValueError, match=r"take 0\.\d\d MiB, and 0\.10 MiB of memory are free"):
            face()
    (tmp_path / "memory.stat").write_text("anon 400000\ninactive_file 500000\nactive_file 0\n")
    assert gym.make_vec(ID, num_envs=200, images=images, size=20).num_envs == 200  # the cache of files makes room
    (tmp_path / "memory.stat").write_text("anon 900000\ninactive_file 0\nactive_file 0\n")
    (tmp_path / "memory.max").write_text("max\n")
    assert gym.make_vec(ID, num_envs=300, images=images, size=20).num_envs == 300


def test_the_free_memory_of_a_gpu_is_what_nobody_holds_and_what_torch_keeps_unused(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(torch.cuda, "mem_get_info", lambda device: (1000, 9000))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda device: 300)
    monkeypatch.setattr(torch.cuda, "memory_allocated", lambda device: 100)
    gpu = get_backend("torch")._replace(device=torch.device("cuda"))
    assert glimpse_env.free_memory.free_memory(gpu) == 1200


def test_a_canvas_too_large_for_its_table_is_refused_when_the_environment_is_made(
    images: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With more scales than can be added up without, or without compiled glimpses, as on a GPU."""
    with pytest.raises(ValueError, match="too large for an int32 table"):
        task_of(images, size=4000, patch=1, scales=13)
    monkeypatch.setattr("glimpse_env.tasks.glimpsing.image_ops", lambda backend: PLAIN)
    with pytest.raises(ValueError, match="too large for an int32 table"):
        task_of(images, size=4000)


# Shrinking


@pytest.mark.parametrize("form", ["array", "npz", "folder", "large folder"])
def test_images_are_shrunk_in_every_form(tmp_path: Path, request: pytest.FixtureRequest, form: str) -> None:
    images, labels = np.stack([picture(row, (16, 8)) for row in range(0, 20)]), np.arange(20) % 2
    source: dict[str, Any] = {"images": images, "labels": labels}
    if form == "npz":
        np.savez(tmp_path / "own.npz", **source)
        source = {"images": str(tmp_path / "own.npz")}
    elif form != "array":
        source = {"images": write(tmp_path / "own", [(16, 8)] * 20)}
        labels = np.sort(labels)
        images = images[np.argsort(np.arange(20) % 2, kind="stable")]
        if form == "large folder":
            request.getfixturevalue("lazy")
    task = task_of(**source, resize=8, order="sequential")
    assert task.canvas_size == (8, 4)
    means = images.reshape(20, 8, 2, 4, 2, 3).astype(float).mean((2, 4)).transpose(0, 3, 1, 2)
    np.testing.assert_allclose(task.compose(np.zeros(20, np.int64), np.arange(20)).canvas, means, atol=0.51)
    assert task.begin(np.zeros(20, np.int64), np.arange(20))["target"].tolist() == labels.tolist()
    assert task_of(**source, resize=100).canvas_size == (16, 8)


def test_a_named_dataset_is_shrunk_too(noise_digits: None) -> None:
    assert task_of(None, dataset="mnist", split="test", resize=14).canvas_size == (14, 14)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"resize": 0}, "resize is the longest side in pixels, .* got 0"),
        ({"resize": 2.5}, "resize is the longest side in pixels, .* got 2.5"),
        ({"background": 256}, r"background is a grey or \(red, green, blue\), .* got 256"),
        ({"background": "white"}, "background is .* got 'white'"),
        ({"background": (1, 2)}, r"background is .* got \(1, 2\)"),
    ],
    ids=str,
)
def test_wrong_arguments_of_pictures(mixed: str, settings: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_of(mixed, **settings)


def test_the_background_is_an_argument(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    Image.new("LA", (2, 2), (0, 0)).save(tmp_path / "a" / "a.png")
    for background, expected in ((None, 128), (0, 0), ((9, 9, 9), 9)):
        given = {} if background is None else {"background": background}
        assert (task_of(str(tmp_path), **given).images == expected).all()


# Lists of files, and channels


def test_a_list_of_files(mixed: str) -> None:
    """Of many sizes as a folder is, and of one size as an array."""
    files = sorted(Path(mixed).rglob("*.png"))
    labels = [int(file.parent.name == "b") for file in files]
    of_list, of_folder = load_images([*map(str, files)], labels, names=["a", "b"]), load_images(mixed)
    assert of_list.names == of_folder.names
    assert of_list.labels.tolist() == of_folder.labels.tolist()
    assert of_list.full_sizes.tolist() == of_folder.images.sizes.tolist()
    for one, other in zip(of_list.images, of_folder.images, strict=True):
        np.testing.assert_array_equal(one, other)
    alike = load_images(files[:1] * 2, [1, 0], resize=7)
    assert alike.images.shape == (2, 3, 4, 7)
    assert alike.full_sizes.tolist() == [[9, 14], [9, 14]]
    split = load_images(files, labels, "test")
    assert len(split.full_sizes) == len(split.images) == len(split.labels) == 2


def test_a_pickle_of_a_list_of_files_works_in_other_folders(
    tmp_path: Path, mixed: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(mixed)
    pickled = pickle.dumps(task_of(["a/000.png", "b/001.png"], labels=[0, 1], size=24, resize=10))
    monkeypatch.chdir(tmp_path)
    made = pickle.loads(pickled)
    np.testing.assert_array_equal(made.images[1], load_images([f"{mixed}/b/001.png"], [0], resize=10).images[0])


@pytest.mark.parametrize(
    ("images", "labels", "error", "message"),
    [
        (["a/000.png"], None, ValueError, "need labels"),
        (["a/000.png"], [0, 1], ValueError, r"labels have shape \(2,\), not \(1,\)"),
        (["a/000.png", np.zeros((4, 4), np.uint8)], [0, 1], ValueError, "paths or of arrays, not of both"),
        (["a/none.png"], [0], FileNotFoundError, r"a/none\.png does not exist"),
        (["a"], [0], FileNotFoundError, "does not exist, or is no file"),
    ],
    ids=str,
)
def test_wrong_lists_of_files(
    mixed: str, monkeypatch: pytest.MonkeyPatch, images: Any, labels: Any, error: Any, message: str
) -> None:
    monkeypatch.chdir(mixed)
    with pytest.raises(error, match=message):
        load_images(images, labels)


@pytest.mark.parametrize("form", ["array", "folder"])
def test_channels_are_converted(mixed: str, form: str, saying: Any) -> None:
    source: dict[str, Any] = {"images": mixed}
    if form == "array":
        source = {"images": np.stack([picture(row, (9, 4)) for row in range(12)]), "labels": np.arange(12) % 2}
    colour = task_of(**source, size=24)
    with saying("Images in RGB are shown in grey"):
        grey = task_of(**source, size=24, channels=1)
    assert grey.observation_space["glimpse"].shape[1] == 1
    for index in range(2):
        luma = np.tensordot([0.299, 0.587, 0.114], colour.images[index].astype(float), 1)
        np.testing.assert_allclose(grey.images[index][0], luma, atol=1)
    with pytest.raises(ValueError, match="channels must be 1"):
        task_of(**source, size=24, channels=2)


def test_grey_images_in_rgb(saying: Any) -> None:
    images = picture(0, (6, 9), 4).transpose(2, 0, 1)
    with saying("Grey images are shown in RGB"):
        task = task_of(images, labels=[0, 1, 0, 1], channels=3)
    np.testing.assert_array_equal(task.images, np.repeat(images[:, None], 3, axis=1))


# Training, evaluation and pictures


def test_a_training_and_its_pictures_take_photographs(mixed: str, lazy: None) -> None:
    env = EnvConfig("Classify-v0", images=mixed, size=24, patch=6, scales=2, num_glimpses=3, resize=10)
    recipe = Recipe("toy", env, AgentConfig(width=16, where_stream=8), batch=6)
    cpu = torch.device("cpu")
    made = make_env(recipe, "train", 6, cpu)
    assert made.unwrapped.task.image_size == (10, 10)
    trainer = Trainer.begin(recipe, made, cpu)
    assert all(np.isfinite(float(value)) for value in train_update(trainer).values())
    canvases = make_canvas_env(recipe, trainer.agent, trainer.names, mixed, 4, cpu)
    assert canvases.unwrapped.task.image_size == (10, 10)  # shrunk as in training
    drawn, measured = heat(trainer.agent, make_env(recipe, "test", 4, cpu), 20, "title", "source")
    assert drawn.dtype == np.uint8
    assert measured["target_by_glimpse"].shape == (3, 10, 10)
