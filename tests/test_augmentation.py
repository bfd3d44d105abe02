"""Augmented canvases: what changes how far, where the target is then, and that validation and test show none."""

from __future__ import annotations

from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch
from conftest import plain

from agents.options import parse_options
from agents.training.recipe import EnvConfig, Recipe
from glimpse_env import augmentation
from glimpse_env.augmentation import augment, augment_boxes, draw_changes
from glimpse_env.augmentation_strength import Augmentation, parse_augmentation
from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN, image_ops
from glimpse_env.tasks import make_task
from runs.environments import make_env
from tests.pretended_device import DEVICE, pretended_device

NAMES = Augmentation._fields
ALL = Augmentation(*[1.0] * len(NAMES))
SHAPES = [(6, 1, 60, 60), (5, 3, 31, 40), (3, 1, 1, 7), (0, 1, 9, 9), (1, 3, 5, 5)]


def numbers(count: int, place: str = "numpy", seed: int = 3) -> list[Any]:
    """Seeds and episodes."""
    arrays = [np.full(count, seed), np.arange(count) + 2**33]
    return arrays if place == "numpy" else [torch.from_numpy(array).to(place) for array in arrays]


def drawn_for(canvas: np.ndarray | tuple[int, ...], strength: Augmentation, place: str = "numpy", seed: int = 3) -> Any:
    """What is drawn for canvases, or for as many of a shape, that one image fills."""
    count, *shape = canvas if isinstance(canvas, tuple) else canvas.shape
    seeds, episodes = numbers(count, place, seed)
    filled = np.tile([0, 0, shape[2], shape[1]], (count, 1))
    boxes = filled if place == "numpy" else torch.from_numpy(filled).to(place)
    return draw_changes(seeds, episodes, strength, tuple(shape), boxes)


def changed(canvas: np.ndarray, strength: Augmentation, place: str = "numpy", ops: Any = PLAIN, seed: int = 3) -> Any:
    there = canvas if place == "numpy" else torch.from_numpy(canvas).to(place)
    return ops.augment(there, drawn_for(canvas, strength, place, seed), strength)


def noisy(shape: tuple[int, ...]) -> np.ndarray:
    return np.random.default_rng(sum(shape)).integers(0, 256, shape, dtype=np.uint8)


# ---- the same numbers everywhere


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("strength", [ALL, *(Augmentation(**{name: 0.7}) for name in NAMES)], ids=str)
def test_every_backend_and_form_makes_the_same(shape: tuple[int, ...], strength: Augmentation, place: str) -> None:
    canvas = noisy(shape)
    expected = changed(canvas, strength)
    assert expected.dtype == np.uint8
    assert expected.shape == shape
    backend = get_backend() if place == "numpy" else get_backend("torch", place)
    for ops in (PLAIN, image_ops(backend)):
        made = changed(canvas, strength, place, ops)
        assert isinstance(made, torch.Tensor) == (place != "numpy")
        np.testing.assert_array_equal(plain(made), expected)


def test_a_canvas_does_not_depend_on_those_beside_it(monkeypatch: pytest.MonkeyPatch) -> None:
    canvas = noisy((7, 3, 12, 10))
    whole = changed(canvas, ALL)
    monkeypatch.setattr(augmentation, "PIXELS", 2 * canvas[0].size)  # two canvases at a time
    np.testing.assert_array_equal(changed(canvas, ALL), whole)
    np.testing.assert_array_equal(changed(canvas[:1], ALL), whole[:1])
    assert (changed(canvas, ALL, seed=4) != whole).any()


def test_each_change_has_words_of_its_own() -> None:
    drawn = drawn_for((50, 3, 40, 60), ALL)
    for name, part in (("shift", "shift"), ("scale", "step"), ("noise", "noise"), ("cutout", "cutout")):
        alone = drawn_for((50, 3, 40, 60), Augmentation(**{name: 1.0}))
        np.testing.assert_array_equal(getattr(alone, part), getattr(drawn, part))


def test_without_strength_nothing_changes() -> None:
    canvas = noisy((9, 3, 14, 15))
    np.testing.assert_array_equal(changed(canvas, Augmentation()), canvas)
    tiny = Augmentation(*[1e-9] * len(NAMES))  # all is computed, and comes to nothing
    for ops in (PLAIN, image_ops(get_backend())):
        np.testing.assert_array_equal(changed(canvas, tiny, ops=ops), canvas)


# ---- each change


@pytest.mark.parametrize("strength", [1.0, 0.5])
def test_changes_fill_their_ranges_and_do_not_leave_them(strength: float) -> None:
    drawn = drawn_for((4000, 3, 80, 48), Augmentation(*[strength] * len(NAMES)))
    most = 1 + strength / 4
    ranges = (
        (2**16 / drawn.step, 1 / most, most),
        (drawn.shift[:, 0], -strength * 6, strength * 6),
        (drawn.shift[:, 1], -strength * 10, strength * 10),
        (drawn.contrast / 2**12, 1 - 0.4 * strength, 1 + 0.4 * strength),
        (drawn.gain / 2**12, (1 - 0.4 * strength) * (1 - 0.2 * strength), (1 + 0.4 * strength) * (1 + 0.2 * strength)),
        (drawn.noise, 0, 32 * strength),
        (drawn.cutout[:, 2] - drawn.cutout[:, 0], 0, 12 * strength),
        (drawn.cutout[:, 3] - drawn.cutout[:, 1], 0, 20 * strength),
    )
    for values, low, high in ranges:
        assert low - 1e-3 <= values.min() < low + 0.03 * (high - low)
        assert high - 0.03 * (high - low) < values.max() <= high + 1e-3
    assert abs(drawn.flip.mean() - strength / 2) < 0.05
    assert drawn.cutout.min() == 0
    assert (drawn.cutout.max(axis=0) <= [48, 80, 48, 80]).all()
    assert len(np.unique(drawn.gain[0])) > 1


def test_a_shift_moves_whole_pixels_and_black_comes_in() -> None:
    canvas = noisy((40, 2, 16, 24)) | 1
    drawn = drawn_for((40, 2, 16, 24), Augmentation(shift=1))
    for old, new, (x, y) in zip(canvas, changed(canvas, Augmentation(shift=1)), drawn.shift, strict=True):
        padded = np.pad(old, ((0, 0), (4, 4), (4, 4)))
        np.testing.assert_array_equal(new, padded[:, 4 - y : 20 - y, 4 - x : 28 - x])


def test_a_flip_mirrors_half_of_the_canvases() -> None:
    canvas = noisy((40, 2, 5, 8))
    made = changed(canvas, Augmentation(flip=1))
    mirrored = (made == canvas[..., ::-1]).all(axis=(1, 2, 3))
    assert ((made == canvas).all(axis=(1, 2, 3)) ^ mirrored).all()
    assert 10 < mirrored.sum() < 30


def test_scaling_is_bilinear_about_the_middle() -> None:
    """A ramp stays a ramp, of another slope; what comes in from outside is black."""
    ramp = np.broadcast_to(np.arange(0, 240, 4, dtype=np.uint8), (30, 1, 20, 60)).copy()
    steps = drawn_for((30, 1, 20, 60), Augmentation(scale=1)).step / 2**16
    for new, step in zip(changed(ramp, Augmentation(scale=1)), steps, strict=True):
        place = (np.arange(60) + 0.5 - 30) * step + 30 - 0.5
        inside = (place >= 0) & (place <= 59)
        np.testing.assert_allclose(new[0, 10, inside], 4 * place[inside], atol=1)
        assert not new[0, 10, (place <= -1) | (place >= 60)].any()


def test_values_change_as_said() -> None:
    """Within a rounding: gain times (contrast about the mean), clamped, for each channel."""
    canvas, strength = noisy((20, 3, 12, 13)), Augmentation(brightness=1, contrast=1, colour=1)
    drawn = drawn_for((20, 3, 12, 13), strength)
    mean = canvas.mean(axis=(1, 2, 3), keepdims=True)
    spread = mean + (canvas - mean) * drawn.contrast[:, None, None, None] / 2**12
    expected = np.clip(spread * drawn.gain[:, :, None, None] / 2**12, 0, 255)
    np.testing.assert_allclose(changed(canvas, strength), expected, atol=1.5)


def test_grey_canvases_have_no_colour_to_change() -> None:
    canvas = noisy((9, 1, 8, 8))
    np.testing.assert_array_equal(changed(canvas, Augmentation(colour=1)), canvas)


def test_noise_is_even_and_no_higher_than_drawn() -> None:
    canvas = np.full((30, 3, 40, 40), 128, np.uint8)
    noise = changed(canvas, Augmentation(noise=1)).astype(int) - 128
    drawn = drawn_for((30, 3, 40, 40), Augmentation(noise=1)).noise
    np.testing.assert_array_equal(abs(noise).max(axis=(1, 2, 3)), drawn)
    assert (abs(noise.mean(axis=(1, 2, 3))) < 0.04 * drawn + 1e-9).all()
    assert len({one.tobytes() for one in noise[drawn > 0].reshape(-1, 1600)}) == 3 * (drawn > 0).sum()


def test_a_cutout_is_a_rectangle_as_grey_as_the_mean() -> None:
    canvas = noisy((30, 3, 24, 32))
    made = changed(canvas, Augmentation(cutout=1))
    drawn = drawn_for((30, 3, 24, 32), Augmentation(cutout=1)).cutout
    for old, new, (left, top, right, bottom) in zip(canvas, made, drawn, strict=True):
        expected = old.copy()
        expected[:, top:bottom, left:right] = int(old.mean())
        np.testing.assert_array_equal(new, expected)


# ---- the target


@pytest.mark.parametrize("size", [(40, 52), (31, 33)])
def test_boxes_are_as_large_as_what_they_hold(size: tuple[int, int]) -> None:
    """A bright square: no pixel of it lies outside of its box, and the box is no larger than the square's blur."""
    strength, count = Augmentation(shift=1, scale=1, flip=1), 300
    rng = np.random.default_rng(0)
    corner = rng.integers(0, (size[1] - 8, size[0] - 8), (count, 2))
    canvas = np.zeros((count, 1, *size), np.uint8)
    for one, (x, y) in zip(canvas, corner, strict=True):
        one[0, y : y + 8, x : x + 8] = 255
    own = np.concatenate([corner, corner + 8], axis=1)
    drawn = draw_changes(*numbers(count), strength, (1, *size), own)
    boxes = augment_boxes(own, drawn, size)
    tensors = draw_changes(*numbers(count, "cpu"), strength, (1, *size), torch.from_numpy(own))
    np.testing.assert_array_equal(augment_boxes(torch.from_numpy(own), tensors, size), boxes)
    tight = 0
    for one, (left, top, right, bottom) in zip(augment(canvas, drawn, strength)[:, 0], boxes, strict=True):
        inside = one[max(0, top) : max(0, bottom), max(0, left) : max(0, right)]
        assert inside.sum(dtype=int) == one.sum(dtype=int) > 0
        edges = [inside[0], inside[-1], inside[:, 0], inside[:, -1]]
        tight += all(edge.any() for edge in edges)
        assert min(inside.shape[0] / (bottom - top), inside.shape[1] / (right - left)) >= 0.75
    assert tight > 0.8 * count  # but for edges of which less than half a value is left


def squares(**kwargs: Any) -> dict[str, Any]:
    """Two classes of bright images, at different places of a larger canvas, one to be seen at a time."""
    images = np.full((4, 6, 6), 250, np.uint8)
    return {"images": images, "labels": [0, 1, 0, 1], "split": "all", "size": (20, 26), "patch": 4, **kwargs}


def test_a_task_knows_where_its_target_is_shown(host_place: str) -> None:
    backend = get_backend() if host_place == "numpy" else get_backend("torch", "cpu")
    task: Any = make_task("Classify-v0", backend, **squares(augment="shift,scale,flip"))
    still: Any = make_task("Classify-v0", backend, **squares())
    seeds, episodes = numbers(60, host_place)
    boxes = plain(task.target_boxes(seeds, episodes))
    assert (boxes != plain(still.target_boxes(seeds, episodes))).any(axis=1).mean() > 0.9
    path = plain(task.gaze("oracle", seeds, episodes))
    shown = plain(task.compose(seeds, episodes).canvas)
    for row, (left, top, right, bottom) in enumerate(boxes):
        canvas = task.canvas(3, row + 2**33)[..., 0]
        np.testing.assert_array_equal(canvas, shown[row, 0])  # what is drawn is what the retina sees
        inside = canvas[max(0, top) : bottom, max(0, left) : right]
        assert inside.sum(dtype=int) == canvas.sum(dtype=int) > 0
        middle = np.clip([(left + right) / 26 - 1, (top + bottom) / 20 - 1], -1, 1)
        np.testing.assert_allclose(path[row, 0], middle, atol=1e-6)
    metrics = task.path_metrics(path, plain(seeds), plain(episodes))
    assert metrics["attention/target_hit_rate"] > 0.99


def test_nothing_waits_for_a_device() -> None:
    """On one that does not exist: no step of a scene's making mixes devices or waits."""
    task: Any = make_task("Classify-v0", get_backend(), **squares(augment=True))
    with pretended_device() as record:
        backend = get_backend("torch")._replace(device=DEVICE)
        there: Any = make_task("Classify-v0", backend, **squares(augment=True))
        seeds, episodes = (backend.asarray(part) for part in numbers(5))
        assert there.ops is PLAIN
        record.waits.clear()
        canvas = there.compose(seeds, episodes).canvas
        boxes = there.target_boxes(seeds, episodes)
        assert not record.waits
        assert not record.mixed
        np.testing.assert_array_equal(canvas.cpu().numpy(), task.compose(*numbers(5)).canvas)
        np.testing.assert_array_equal(boxes.cpu().numpy(), task.target_boxes(*numbers(5)))


def test_pictures_in_files_are_augmented_alike(tmp_path: Any) -> None:
    """Of several sizes, they are painted one after the other on the host; of one size, all at once."""
    from PIL import Image

    rng = np.random.default_rng(0)
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        for number in range(10):
            height = 8 if (name, number) != ("a", 0) else 9
            Image.fromarray(rng.integers(0, 256, (height, 10, 3), dtype=np.uint8)).save(
                tmp_path / name / f"{number}.png"
            )
    kwargs = {"images": str(tmp_path), "size": (16, 15), "patch": 4, "split": "all"}
    task: Any = make_task("Classify-v0", get_backend(), augment=True, **kwargs)
    bare: Any = make_task("Classify-v0", get_backend(), **kwargs)
    assert task.sizes is not None
    seeds, episodes = numbers(30)
    strength = parse_augmentation(True)
    assert strength is not None
    changes = draw_changes(seeds, episodes, strength, (3, 16, 15), bare.target_boxes(seeds, episodes))
    expected = augment(bare.compose(seeds, episodes).canvas, changes, strength)
    np.testing.assert_array_equal(task.compose(seeds, episodes).canvas, expected)
    there: Any = make_task("Classify-v0", get_backend("torch"), augment=True, **kwargs)
    np.testing.assert_array_equal(there.compose(*numbers(30, "cpu")).canvas, expected)


def test_one_environment_and_many_show_the_same() -> None:
    single = gym.make("glimpse_env:Glimpse/Classify-v0", **squares(augment=0.8), render_mode="rgb_array")
    many = gym.make_vec("glimpse_env:Glimpse/Classify-v0", num_envs=3, **squares(augment=0.8))
    seen = many.reset(seed=5)[0]["glimpse"]
    bare = gym.make("glimpse_env:Glimpse/Classify-v0", **squares())
    for row in range(3):
        np.testing.assert_array_equal(single.reset(seed=5 + row)[0]["glimpse"], seen[row])
        assert (bare.reset(seed=5 + row)[0]["glimpse"] != seen[row]).any()


# ---- training alone


def test_only_training_is_augmented(tmp_path: Any) -> None:
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (60, 8, 8), dtype=np.uint8)
    np.savez(tmp_path / "noise.npz", images=images, labels=np.arange(60) % 3)
    env = EnvConfig("Classify-v0", images=str(tmp_path / "noise.npz"), patch=4, arguments=("augment=shift,scale:0.5",))
    recipe = Recipe(env=env)
    assert make_env(recipe, "train", 2, "cpu").unwrapped.task.augmentation == Augmentation(shift=1, scale=0.5)
    for split in ("validation", "test"):
        assert make_env(recipe, split, 2, "cpu").unwrapped.task.augmentation is None
    assert make_env(recipe, "train", 2, "cpu", training=False).unwrapped.task.augmentation is None


# ---- the argument


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (True, {name: 1.0 for name in NAMES if name != "flip"}),
        (0.5, {name: 0.5 for name in NAMES if name != "flip"}),
        (1, {name: 1.0 for name in NAMES if name != "flip"}),
        ("shift,flip", {"shift": 1.0, "flip": 1.0}),
        ("shift, scale:0.25", {"shift": 1.0, "scale": 0.25}),
        (("noise",), {"noise": 1.0}),
        (["noise:0.5", "cutout"], {"noise": 0.5, "cutout": 1.0}),
        ({"colour": 0.5, "contrast": np.float32(0.25)}, {"colour": 0.5, "contrast": 0.25}),
        ({"shift": 0, "flip": True}, {"flip": 1.0}),
    ],
    ids=str,
)
def test_it_can_be_said_in_several_ways(value: Any, expected: dict[str, float]) -> None:
    assert parse_augmentation(value) == Augmentation(**expected)
    if isinstance(value, (str, float, int)):
        options = parse_options([f"augment={value}"])
        assert parse_augmentation(options["augment"]) == Augmentation(**expected)


@pytest.mark.parametrize("value", [None, False, 0, 0.0, (), {}, {"shift": 0}, "noise:0"], ids=str)
def test_it_can_be_off(value: Any) -> None:
    assert parse_augmentation(value) is None


@pytest.mark.parametrize(
    ("value", "message"),
    [
        ("shift,rotate", "'rotate' is unknown; give names of shift, scale, flip"),
        ("", "'' is unknown"),
        ("all", "'all' is unknown"),
        (("shift", "shift:0.5"), "'shift' is given twice"),
        ("shift:much", "a strength is from 0 to 1, got 'much' for shift"),
        (1.5, "a strength is from 0 to 1, got 1.5 for shift"),
        (-0.1, "a strength is from 0 to 1"),
        (float("nan"), "a strength is from 0 to 1"),
        ({"noise": 2}, "got 2 for noise"),
        ({"noise": None}, "got None for noise"),
        ([["shift"]], r"\['shift'\] is unknown"),
        ([None], "None is unknown"),
        (object, "is unknown"),
    ],
    ids=str,
)
def test_what_means_nothing_is_refused(value: Any, message: str) -> None:
    with pytest.raises(ValueError, match=f"augment: .*{message}"):
        make_task("Classify-v0", get_backend(), **squares(augment=value))
