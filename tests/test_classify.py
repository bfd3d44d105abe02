"""What an episode of `Classify` is: when it is seen, said and scored, where one looks, and which images there are."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, evaluate
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from glimpse_env import GlimpseEnv, GlimpseVectorEnv, load_dataset
from glimpse_env.backend import get_backend
from glimpse_env.image_ops import PLAIN, image_ops
from glimpse_env.tasks.classify import Classify

COLUMNS, ROWS = 32, 24
"""Of the canvas: powers of two and near, so that pixels are exact locations."""


def images(count: int = 6) -> np.ndarray:
    """(count, 4, 8) noise, no pixel of it black."""
    return np.random.default_rng(count).integers(1, 256, (count, 4, 8), dtype=np.uint8)


def arguments(**kwargs: Any) -> dict[str, Any]:
    return {
        "dataset": None, "images": images(), "labels": np.arange(6) % 3, "num_glimpses": 4, "patch": (4, 8),
        "scales": 2, "size": (ROWS, COLUMNS), "split": "all", **kwargs,
    }  # fmt: skip


def make(**kwargs: Any) -> GlimpseEnv:
    return GlimpseEnv("Classify-v0", **arguments(**kwargs))


def look(x: float, y: float, answer: int = 0) -> dict[str, Any]:
    return {"location": np.array([x, y], dtype=np.float32), "answer": answer}


def begin(episodes: int = 40, seed: int = 0, **kwargs: Any) -> tuple[Classify, dict[str, np.ndarray]]:
    """The task itself, and the first states of a range of episodes."""
    task = Classify(get_backend("numpy"), **arguments(**kwargs))
    return task, task.begin(np.full(episodes, seed), np.arange(episodes))


def canvases(task: Classify, state: dict[str, np.ndarray]) -> np.ndarray:
    return np.stack(
        [task.canvas(*numbers) for numbers in zip(state["seed"].tolist(), state["episode"].tolist(), strict=True)]
    )


# ---- with and without tables of sums


@pytest.fixture
def plain(monkeypatch: pytest.MonkeyPatch) -> None:
    """As without Numba."""
    monkeypatch.setattr("glimpse_env.tasks.glimpsing.image_ops", lambda backend: PLAIN)


@pytest.mark.parametrize("more", [{"size": None}, {"size": 30, "pieces": 2, "piece_size": 4}], ids=str)
def test_without_tables_all_is_the_same(host_place: str, more: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Bit for bit, in every row and step; and it is the canvas that is drawn."""
    kwargs = arguments(**more, overview=(3, 5))
    backend = {"backend": "torch"} if host_place == "cpu" else {}

    def play() -> list[Any]:
        env = GlimpseVectorEnv("Classify-v0", num_envs=5, **kwargs, **backend)
        random, seen = np.random.default_rng(0), [env.reset(seed=3)]
        for _ in range(9):
            answer = {"location": random.uniform(-1, 1, (5, 2)).astype(np.float32), "answer": np.ones(5, np.int64)}
            seen.append(env.step({key: env.backend.asarray(value) for key, value in answer.items()}))
        return [env.task.tables, seen, env.task.canvas(3, 2)]

    fastest = play()
    monkeypatch.setattr("glimpse_env.tasks.glimpsing.image_ops", lambda backend: PLAIN)
    by_table = play()
    monkeypatch.setattr("glimpse_env.tasks.image_task.MAX_PIXELS", 0)
    one_by_one = play()
    tables = not image_ops(get_backend()).compiled
    assert (fastest[0], by_table[0], one_by_one[0]) == (tables, True, more["size"] is not None)
    for without in (fastest, one_by_one):
        same(by_table, without)


def same(by_table: list[Any], without: list[Any]) -> None:
    for expected, found in zip(by_table[1], without[1], strict=True):
        for key, value in expected[0].items():
            np.testing.assert_array_equal(value, found[0][key])
        np.testing.assert_array_equal(expected[-1]["target"], found[-1]["target"])
    np.testing.assert_array_equal(by_table[2], without[2])


def test_plain_a_table_where_the_image_does_not_fill_the_canvas_or_is_small(plain: None) -> None:
    large = np.zeros((2, 1200, 1200), np.uint8)
    settings: dict[str, Any] = {"images": large, "labels": [0, 1], "size": None}
    for more, tables in (
        ({}, False),
        ({"size": 1210}, True),
        ({"overhang": 1}, True),
        ({"augment": 0.5}, True),
        ({"overview": 10}, False),
        ({"pieces": 1, "piece_size": 4}, True),
        ({"patch": 400}, True),  # the windows are more than the image
        ({"num_glimpses": 40}, True),
        ({"images": large[:, :300, :300]}, True),
    ):
        task = Classify(get_backend("numpy"), **arguments(**settings | more))
        assert (task.tables, bool(task.row_bytes)) == (tables, tables), more


# ---- time


@pytest.mark.parametrize("glimpses", [1, 2, 5, 7])
def test_glimpses_steps_and_the_answer_that_counts(glimpses: int) -> None:
    """Reset gives the first glimpse, each step but the last the next; the last step's answer alone is paid."""
    for right_at in range(1, glimpses + 1):
        env = make(num_glimpses=glimpses)
        observation, info = env.reset(seed=right_at)
        assert list(info) == ["target"]
        assert observation["time"] == 0
        target, earned = info["target"], 0.0
        for step in range(1, glimpses + 1):
            answer = target if step == right_at else (target + 1) % 3
            observation, reward, terminated, _, info = env.step(look(0.5 * (-1) ** step, 0, answer))
            assert info["target"] == target
            assert info["correct"] is (step == right_at)
            assert observation["time"] == np.float32(step) / np.float32(glimpses)
            assert terminated is (step == glimpses)
            assert ("is_success" in info) is terminated
            earned += reward
        assert info["is_success"] is (right_at == glimpses)
        assert earned == (right_at == glimpses)


@pytest.mark.parametrize("saccades", ["absolute", "relative"])
def test_the_last_step_does_not_look(saccades: str) -> None:
    env = make(num_glimpses=2, saccades=saccades)
    env.reset(seed=0)
    seen = env.step(look(0.25, -0.5))[0]
    last = env.step(look(-1, 1))[0]
    for key in ("glimpse", "location"):
        np.testing.assert_array_equal(last[key], seen[key])


# ---- place


def test_an_absolute_saccade_goes_to_its_location() -> None:
    env = make()
    assert env.reset(seed=0)[0]["location"].tolist() == [0, 0]
    for location in [(0.5, -0.25), (-1, 1), (1, 0.125)]:
        assert env.step(look(*location))[0]["location"].tolist() == list(location)


def test_a_relative_saccade_goes_on_from_the_last() -> None:
    env = make(saccades="relative")
    env.reset(seed=0)
    for step, location in [((0.5, -0.25), (0.5, -0.25)), ((0.25, -0.25), (0.75, -0.5)), ((-1, 0), (-0.25, -0.5))]:
        assert env.step(look(*step))[0]["location"].tolist() == list(location)


@pytest.mark.parametrize("saccades", ["absolute", "relative"])
def test_the_fixation_stays_on_the_canvas(saccades: str) -> None:
    env = make(saccades=saccades, num_glimpses=9)
    env.reset(seed=0)
    # From the border a relative saccade goes back by its own length: what was cut off is forgotten.
    for step, relative in [((5, -5), (1, -1)), ((-0.25, 0.25), (0.75, -0.75)), ((-5, 1.5), (-1, 0.75))]:
        expected = relative if saccades == "relative" else tuple(np.clip(step, -1, 1))
        observation = env.step(look(*step))[0]
        assert observation["location"].tolist() == list(expected)
        assert observation in env.observation_space


def test_who_looks_straight_at_the_image_sees_it() -> None:
    task, state = begin(start="random")
    position = task.target_boxes(state["seed"], state["episode"])[:, :2]
    middle = position + np.array([8, 4]) / 2
    location = (2 * middle / [COLUMNS, ROWS] - 1).astype(np.float32)
    state = task.act(state, {"location": location, "answer": np.zeros(40, np.int64)}).state
    seen = task.observe(state)["glimpse"]
    shown = [np.flatnonzero((images() / np.float32(255) == patch[0]).all(axis=(1, 2))) for patch in seen[:, 0]]
    assert {len(found) for found in shown} == {1}
    np.testing.assert_array_equal(np.concatenate(shown) % 3, state["target"])
    assert len(np.unique(position, axis=0)) > 30


def test_who_looks_elsewhere_sees_what_lies_there() -> None:
    """The finest patch is a cut-out of the canvas, whose rows run down and columns right."""
    task, state = begin(pieces=3, piece_size=(2, 5))
    canvas = canvases(task, state)[..., 0]
    state = task.act(state, look(0.5, -0.5) | {"location": np.full((40, 2), (0.5, -0.5), np.float32)}).state
    expected = canvas[:, 6 - 2 : 6 + 2, 24 - 4 : 24 + 4] / np.float32(255)
    np.testing.assert_array_equal(task.observe(state)["glimpse"][:, 0, 0], expected)
    assert expected.any()


def test_a_random_start_is_anywhere_and_always_the_same() -> None:
    task, state = begin(400, start="random")
    location = task.observe(state)["location"]
    np.testing.assert_array_equal(location, begin(400, start="random")[1]["location"])
    assert len(np.unique(location)) > 790
    assert (np.abs(location.mean(axis=0)) < 0.15).all()
    assert (location.min(axis=0) < -0.95).all()
    assert (location.max(axis=0) > 0.95).all()
    assert not np.array_equal(location, begin(400, seed=1, start="random")[1]["location"])
    centred = begin(400)
    assert not task.observe(centred[1])["location"].any()
    np.testing.assert_array_equal(canvases(task, state), canvases(*centred))  # it does not move the scene
    scene = np.concatenate(
        [task.target_boxes(state["seed"], state["episode"])[:, :2], state["target"][:, None]], axis=1
    )
    assert (np.abs(np.corrcoef(location, scene, rowvar=False)[:2, 2:]) < 0.2).all()  # and tells nothing about it


# ---- images


def test_an_image_lies_among_pieces_of_others() -> None:
    plain, cluttered = canvases(*begin()), canvases(*begin(pieces=3, piece_size=(2, 2)))
    assert plain.shape == (40, ROWS, COLUMNS, 1)
    np.testing.assert_array_equal((plain > 0).sum(axis=(1, 2, 3)), 4 * 8)
    assert (cluttered >= plain).all()
    extra = ((cluttered > 0) & (plain == 0)).sum(axis=(1, 2, 3))
    assert extra.max() == 3 * 4
    assert extra.min() < 3 * 4  # where they overlap


def test_random_episodes_show_every_image_and_sequential_ones_each_once() -> None:
    labels = {"labels": np.arange(6)}
    assert set(begin(100, **labels)[1]["target"].tolist()) == set(range(6))
    assert begin(12, order="sequential", **labels)[1]["target"].tolist() == [*range(6), *range(6)]
    env = make(order="sequential", **labels)
    assert [env.reset(seed=4)[1]["target"], *(env.reset()[1]["target"] for _ in range(7))] == [0, 1, 2, 3, 4, 5, 0, 1]
    assert env.reset(options={"episode": 10})[1]["target"] == 4


def test_other_seeds_make_other_scenes() -> None:
    scenes = [canvases(*begin(seed=seed)) for seed in range(3)]
    assert len(np.unique(np.concatenate(scenes).reshape(120, -1), axis=0)) > 110


def test_the_canvas_is_the_image_where_no_size_is_given() -> None:
    task, state = begin(size=None)
    pixels = canvases(task, state)[..., 0]
    assert all((images() == canvas).all(axis=(1, 2)).any() for canvas in pixels)


def test_sizes_are_integers_of_any_kind() -> None:
    expected = begin(size=(9, 9), patch=(3, 3), pieces=2, piece_size=(2, 2))
    for kind in (int, np.int64, np.uint8, lambda n: [n, n], lambda n: np.array([n, n]), lambda n: (np.int32(n), n)):
        task, state = begin(size=kind(9), patch=kind(3), pieces=2, piece_size=kind(2))
        assert task.observation_space == expected[0].observation_space
        np.testing.assert_array_equal(canvases(task, state), canvases(*expected))


def test_one_image_alone_is_shown() -> None:
    task, state = begin(images=images(1), labels=[0], size=None)
    np.testing.assert_array_equal(canvases(task, state)[..., 0], images(1).repeat(40, axis=0))


def test_own_images_are_held_out() -> None:
    own = {"images": images(50), "labels": np.arange(50), "size": None, "order": "sequential", "scales": 1}
    shown = [begin(50, split=split, **own)[1]["target"].tolist() for split in ("train", "validation", "test")]
    assert [len(set(targets)) for targets in shown] == [40, 5, 5]
    assert set().union(*shown) == set(range(50))
    assert begin(split="test", **own)[0].action_space["answer"].n == 50


def test_an_rgb_image_is_seen_in_rgb() -> None:
    coloured = np.stack([images(), images() // 2, images() // 3], axis=-1)
    task, state = begin(images=coloured, size=None, scales=1)
    seen = task.observe(state)["glimpse"]
    assert seen.shape == (40, 1, 3, 4, 8)
    np.testing.assert_array_equal(seen[:, 0], np.moveaxis(canvases(task, state), 3, 1) / np.float32(255))


@pytest.mark.parametrize("split", ["train", "validation", "test"])
def test_a_split_shows_its_own_images(split: str, noise_digits: None) -> None:
    task = Classify(get_backend("numpy"), split=split)  # type: ignore[arg-type]
    state = task.begin(np.full(60, 1), np.arange(60))
    shown = {canvas.tobytes() for canvas in canvases(task, state)}
    for name in ("train", "validation", "test"):
        pool = Classify(get_backend("numpy"), split=name).images  # type: ignore[arg-type]
        assert (shown <= {image.tobytes() for image in pool}) == (name == split)


def test_more_classes_than_the_images_have() -> None:
    assert make().action_space["answer"].n == 3
    assert make(classes=7).action_space["answer"].n == 7
    assert make(classes=7).task.answer_names == tuple("0123456")
    with pytest.raises(ValueError, match=r"classes must be different names, and \['3'\] occur more than once"):
        make(names=["a", "b", "3"], classes=4)  # a fourth class, called by its number, would be another "3"


@pytest.mark.parametrize("face", [gym.make, gym.make_vec])
@pytest.mark.parametrize("kind", [tuple, list, np.array])
def test_labels_are_mapped_by_name_onto_the_classes_given(face: Any, kind: Any) -> None:
    own = {"names": ["ant", "bee", "cat"], "split": "all", "order": "sequential", "size": None}
    env = face("glimpse_env:Glimpse/Classify-v0", **arguments(**own, classes=kind(["cow", "cat", "ant", "bee"])))
    assert env.metadata["answer_names"] == ("cow", "cat", "ant", "bee")
    assert env.action_space["answer"].shape == (() if face is gym.make else (1,))
    targets = [env.reset(options={"episode": episode}, seed=0)[1]["target"] for episode in range(6)]
    assert [int(np.ravel(target)[0]) for target in targets] == [2, 3, 1, 2, 3, 1]
    env.close()


def test_a_class_that_is_not_among_those_given_needs_no_image() -> None:
    own = {"labels": [2, 0, 0, 2, 0, 0], "names": ["ant", "bee", "cat"]}
    task, state = begin(**own, classes=["cat", "ant"])
    assert task.answer_names == ("cat", "ant")
    assert set(state["target"].tolist()) == {0, 1}
    task, state = begin(labels=[2, 0, 0, 2, 0, 0], classes=["2", "0"])  # unnamed classes are called by their numbers
    assert set(state["target"].tolist()) == {0, 1}


def test_a_named_dataset_has_its_own_class_names(noise_digits: None) -> None:
    own = {"dataset": "mnist", "images": None, "labels": None, "split": "test", "size": None}
    plain, (task, state) = begin(**own)[1], begin(**own, classes=tuple("9876543210"))
    np.testing.assert_array_equal(state["target"], 9 - plain["target"])
    assert task.answer_names == tuple("9876543210")


def test_mnist_itself(needs_mnist: None) -> None:
    data = load_dataset("mnist", "test")
    env = gym.make_vec(
        "glimpse_env:Glimpse/MNIST-v0", num_envs=50, split="test", order="sequential", autoreset_mode="Disabled"
    )
    _, infos = env.reset(seed=[0] * 50, options={"episode": np.arange(50)})
    np.testing.assert_array_equal(infos["target"], data.labels[:50])
    np.testing.assert_array_equal(env.unwrapped.canvases()[..., 0], data.images[:50, 0])
    for _ in range(7):
        _, rewards, ended, _, infos = env.step({"location": np.zeros((50, 2), np.float32), "answer": infos["target"]})
    assert ended.all()
    assert (rewards == 1).all()


# ---- pictures


def test_a_picture_shows_what_was_seen_brighter_than_the_rest() -> None:
    grey = np.full((2, ROWS, COLUMNS), 150, dtype=np.uint8)
    env = make(images=grey, labels=[0, 1], patch=8, scales=1, render_mode="rgb_array")
    env.reset(seed=0)
    pictures = [env.render()]
    for x in (-0.5, 0.5):
        env.step(look(x, 0.5))
        pictures.append(env.render())
    factor = pictures[0].shape[0] // ROWS
    assert {picture.shape for picture in pictures} == {(ROWS * factor, COLUMNS * factor, 3)}

    def brightness(picture: np.ndarray, x: float, y: float) -> float:
        """The median of 8 x 8 pixels of the canvas around a location: lines and dots are thin."""
        column, row = round((x + 1) / 2 * COLUMNS), round((y + 1) / 2 * ROWS)
        window = picture[(row - 4) * factor : (row + 4) * factor, (column - 4) * factor : (column + 4) * factor]
        return float(np.median(window))

    places = [(0, 0), (-0.5, 0.5), (0.5, 0.5)]
    seen = [[brightness(picture, *place) > 120 for place in places] for picture in pictures]
    assert seen == [[True, False, False], [True, True, False], [True, True, True]]


# ---- what is refused


@pytest.mark.parametrize("face", ["single", "numpy", "torch"])
@pytest.mark.parametrize(
    ("action", "message"),
    [
        ({"location": [np.nan, 0.0], "answer": 0}, "'location' must be finite"),
        ({"location": [0.0, np.inf], "answer": 0}, "'location' must be finite"),
        ({"location": [0.0, 0.0, 0.0], "answer": 0}, r"'location' must have shape \(.*2,?\), got \(.*3,?\)"),
        ({"location": 0.0, "answer": 0}, "'location' must have shape"),
        ({"location": [0, 0], "answer": 0}, "'location' must hold floats, got .*int64"),
        ({"location": [0.0, 0.0], "answer": 3}, r"'answer' must be in \[0, 3\)"),
        ({"location": [0.0, 0.0], "answer": -1}, r"'answer' must be in \[0, 3\)"),
        ({"location": [0.0, 0.0], "answer": 1.0}, "'answer' must hold integers"),
        ({"location": [0.0, 0.0], "answer": True}, "'answer' must hold integers, got .*bool"),
        ({"location": [0.0, 0.0], "answer": [0]}, "'answer' must have shape"),
        ({"location": [0.0, 0.0]}, r"keys \['answer', 'location'\], got \['location'\]"),
        ({"location": [0.0, 0.0], "answer": 0, "stop": 1}, r"got \['answer', 'location', 'stop'\]"),
        (([0.0, 0.0], 0), "an action is a dict with the keys .*, got tuple"),
        (None, "got NoneType"),
    ],
    ids=str,
)
def test_a_refused_action_changes_nothing(action: Any, message: str, face: str) -> None:
    def batched(action: Any) -> Any:
        whole = face == "single" or not isinstance(action, dict)
        return action if whole else {key: [value, value] for key, value in action.items()}

    if face == "single":
        env, twin = make(), make()
    else:
        env, twin = (GlimpseVectorEnv("Classify-v0", 2, backend=face, **arguments()) for _ in range(2))
    env.reset(seed=0)
    twin.reset(seed=0)
    with pytest.raises(ValueError, match=message):
        env.step(batched(action))
    good = batched({"location": [0.5, 0.5], "answer": 1})
    for ours, theirs in zip(env.step(good)[0].values(), twin.step(good)[0].values(), strict=True):
        np.testing.assert_array_equal(ours, theirs)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"dataset": "imagenet", "images": None, "labels": None}, "unknown dataset 'imagenet'; known are mnist, "),
        ({"dataset": "mnist", "images": None, "labels": None, "split": "dev"}, "unknown split 'dev'"),
        ({"split": "dev"}, "unknown split 'dev'"),
        ({"dataset": "mnist"}, "either dataset .* or images"),
        ({"images": None, "labels": None}, "either dataset .* or images"),
        ({"dataset": "mnist", "images": None}, "labels= and names= belong to images="),
        ({"labels": None}, "need labels="),
        ({"classes": 2}, "classes=2, but the labels name 3 classes"),
        (
            {"classes": ("2", "0", "dog")},
            r"images of the classes \['1'\], .* not among \['2', '0', 'dog'\]: .* names=",
        ),
        ({"classes": ("0", "1", "2", "1")}, r"classes must be different names, and \['1'\] occur more than once"),
        ({"classes": ("0", 1, 2)}, r"classes must be the names .*, got \('0', 1, 2\)"),
        ({"classes": "012"}, "classes must be the names .*, got '012'"),
        ({"classes": ()}, r"classes must be the names .*, got \(\)"),
        ({"classes": True}, "classes must be the names .*, got True"),
        ({"resize": True}, "resize is the longest side in pixels, .* got True"),
        ({"background": True}, "background is a grey .* got True"),
        ({"classes": 3.0}, "classes must be the names .*, got 3.0"),
        ({"names": ("a", "b")}, "labels go up to 2, and there are 2 names"),
        ({"names": ("a", "b", "a")}, r"names must be different names, and \['a'\] occur more than once"),
        ({"dataset": "mnist", "images": None, "labels": None, "names": ("a",)}, "names= belong to images="),
        ({"num_glimpses": 0}, "num_glimpses must be an integer of at least 1, got 0"),
        ({"start": "left"}, """start must be "centre" or "random", got 'left'"""),
        ({"saccades": "polar"}, """saccades must be "absolute" or "relative", got 'polar'"""),
        ({"order": "sorted"}, """order must be "random" or "sequential", got 'sorted'"""),
        ({"blend": "multiply"}, "blend must be one of add, max, over, got 'multiply'"),
        ({"size": 7}, r"size \(7, 7\) is smaller than the images, \(4, 8\)"),
        ({"size": 0}, r"size \(0, 0\) is smaller than the images"),
        ({"patch": 0}, r"patch must be \(height, width\) of at least 1"),
        ({"scales": 0}, "scales at least 1"),
        ({"pieces": -1}, "pieces must be at least 0, got -1"),
        ({"pieces": 1, "piece_size": 5}, r"piece_size must be from \(1, 1\) to that of the images"),
        ({"images": images(1), "labels": [0], "pieces": 1}, "at least two images, or set pieces to 0"),
        ({"split": "train"}, r'6 image\(s\) are too few .* split="all"'),
        ({"size": 32.0}, r"one integer or two, \(height, width\), got 32.0"),
        ({"patch": "12"}, "one integer or two, .* got '12'"),
        ({"patch": (4, 8, 2)}, r"one integer or two, .* got \(4, 8, 2\)"),
        ({"patch": (4, None)}, r"one integer or two, .* got \(4, None\)"),
        ({"piece_size": None}, "one integer or two, .* got None"),
    ],
    ids=str,
)
def test_what_cannot_be_shown_is_refused(kwargs: dict[str, Any], message: str) -> None:
    for face in (GlimpseEnv, GlimpseVectorEnv):
        with pytest.raises(ValueError, match=message):
            face("Classify-v0", **arguments(**kwargs))


def test_an_argument_that_no_task_has_is_refused() -> None:
    with pytest.raises(TypeError, match="glimpses"):
        make(glimpses=3)


def stopping_env(**changes: Any) -> Any:
    """Two classes of 4×4 images that a glimpse tells apart, of which three may be taken; one may stop."""
    images = np.zeros((20, 4, 4), np.uint8)
    images[10:] = 255
    settings = {"images": images, "labels": np.arange(20) // 10, "split": "all", "patch": 4, "scales": 1}
    settings |= {"num_glimpses": 3, "stop": True, "autoreset_mode": "Disabled", **changes}
    return gym.make_vec("glimpse_env:Glimpse/Classify-v0", **{"num_envs": 4, **settings})


def test_who_stops_is_judged_by_the_present_answer_and_pays_for_what_was_seen() -> None:
    env = stopping_env(glimpse_cost=0.125)
    _, info = env.reset(seed=0)
    action = {"location": np.zeros((4, 2), np.float32), "answer": info["target"], "stop": np.array([1, 1, 0, 0])}
    action["answer"] = np.where([True, False, True, False], info["target"], 1 - info["target"])
    _, reward, ended, _, told = env.step(action)
    np.testing.assert_array_equal(ended, [True, True, False, False])
    np.testing.assert_allclose(reward, [0.875, -0.125, -0.125, -0.125])
    np.testing.assert_array_equal(told["scored"], ended)
    assert env.metadata["glimpse_cost"] == 0.125
    with pytest.raises(ValueError, match="glimpse_cost must be a number of at least 0"):
        stopping_env(glimpse_cost=-1.0)


@pytest.mark.parametrize(("cost", "length"), [(2.0, 1.0), (0.0, 3.0)])
def test_the_agent_stops_where_a_glimpse_costs_more_than_it_brings(cost: float, length: float) -> None:
    """Also with the estimator `gain`, whose own steps know nothing of the reward."""
    recipe = Recipe(env=EnvConfig("Classify-v0"), agent=AgentConfig(width=16, where_stream=8), batch=64, lr=5e-3)
    recipe = replace(recipe, episodes=64 * 300, gaze_lr=1.0, discount=1.0)
    settings = {"glimpse_cost": cost, "backend": "torch"}
    trainer = Trainer.begin(recipe, stopping_env(num_envs=64, **settings), torch.device("cpu"))
    for _ in range(300):
        train_update(trainer)
    result = evaluate(trainer.agent, stopping_env(num_envs=20, **settings), 100, seed=9)
    assert result.mean_length == pytest.approx(length, abs=0.2)
    assert result.error is not None
    assert result.error < 2
