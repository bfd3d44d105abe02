"""Traffic signs in street scenes: the files, what is composed for training, and the environment."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from glimpse_env import sign_scenes
from glimpse_env.fitting import Fitting
from glimpse_env.street_scenes import CATEGORIES, CATEGORY, CLASSES, load_street_scenes, read_listing

ID = "glimpse_env:Glimpse/TrafficSigns-v0"
COLOURS = {"prohibitory": (255, 0, 0), "mandatory": (0, 0, 255), "danger": (255, 255, 0), "other": (0, 255, 0)}


def task_of(folder: str, **kwargs: Any) -> Any:
    kwargs = {"num_envs": 1, "data": folder, "resize": 100, "patch": 6, "overview": 12, **kwargs}
    return gym.make_vec(ID, **kwargs).unwrapped.task


@pytest.fixture(scope="module")
def real_scenes() -> str:
    """The benchmark's folder, in GLIMPSE_DATA or beside the repository."""
    from os import environ

    for folder in (environ.get("GLIMPSE_DATA"), str(Path(__file__).parents[2] / "shared" / "data")):
        if folder and Path(folder, "gtsdb", "gt.txt").is_file():
            return str(Path(folder, "gtsdb"))
    pytest.skip("the German Traffic Sign Detection Benchmark is neither in GLIMPSE_DATA nor beside the repository")


def test_the_classes_are_the_published_43_in_their_categories() -> None:
    assert len(CLASSES) == len(set(CLASSES)) == len(CATEGORY) == 43
    assert [CLASSES[k] for k in (0, 9, 11, 12, 14, 17, 18, 31, 32, 33, 40)] == [
        *("speed limit 20", "no overtaking", "priority at next intersection", "priority road", "stop", "no entry"),
        *("danger", "animals", "restriction ends", "go right", "roundabout"),
    ]
    groups = {name: [k for k in range(43) if CATEGORIES[CATEGORY[k]] == name] for name in CATEGORIES}
    assert groups["prohibitory"] == [0, 1, 2, 3, 4, 5, 7, 8, 9, 10, 15, 16]
    assert groups["mandatory"] == list(range(33, 41))
    assert groups["danger"] == [11, *range(18, 32)]
    assert groups["other"] == [6, 12, 13, 14, 17, 32, 41, 42]


def test_the_test_split_is_the_official_one(real_scenes: str) -> None:
    scenes = load_street_scenes(real_scenes, "test", Fitting())
    assert len(scenes.pictures) == 235
    assert scenes.full == (800, 1360)
    largest = [sign_scenes.plain(scenes, number, scenes.full) for number in range(235)]
    counts = Counter(CATEGORIES[CATEGORY[made.kinds[sign_scenes.largest(made)]]] for made in largest)
    assert counts == {"prohibitory": 93, "other": 67, "danger": 51, "mandatory": 24}
    assert (
        sum(len(load_street_scenes(real_scenes, split, Fitting()).boxes) for split in ("train", "validation", "test"))
        == 1213
    )
    assert (
        sum(len(load_street_scenes(real_scenes, split, Fitting()).pictures) for split in ("train", "validation")) == 506
    )


def test_a_real_scene_is_its_file_and_its_target_the_largest_sign(street_folder: str) -> None:
    task = task_of(street_folder, split="test", order="sequential", resize=None)
    zeros, numbers = np.zeros(8, np.int64), np.arange(8)
    canvas, target = task.scenes(zeros, numbers)
    boxes = task.target_boxes(zeros, numbers)
    rows = read_listing((Path(street_folder) / "gt.txt").read_text().splitlines(), "gt.txt")
    for number in range(8):
        own = rows[rows[:, 0] == 600 + number]
        areas = (own[:, 3] - own[:, 1] + 1) * (own[:, 4] - own[:, 2] + 1)
        assert CATEGORY[own[areas.argmax(), 5]] == target[number]
        left, top, right, bottom = boxes[number]
        inside = canvas[number, :, top:bottom, left:right].reshape(3, -1)
        assert (inside == np.array(COLOURS[task.answer_names[target[number]]])[:, None]).all()
        assert (right - left) * (bottom - top) == areas.max()


def test_composed_scenes_are_functions_of_seed_and_episode_and_show_their_target_in_its_box(street_folder: str) -> None:
    seeds, numbers = np.full(60, 5), np.arange(60)
    one, other = (task_of(street_folder, composed=1.0) for _ in range(2))
    canvas, target = one.scenes(seeds, numbers)
    part, _ = other.scenes(seeds[7:9], numbers[7:9])
    np.testing.assert_array_equal(canvas[7:9], part)
    hits = 0
    for row, (left, top, right, bottom) in enumerate(one.target_boxes(seeds, numbers)):
        colour = canvas[row, :, max(0, (top + bottom) // 2), min(99, max(0, (left + right) // 2))].astype(float)
        expected = np.array(COLOURS[one.answer_names[target[row]]], float)
        hits += colour @ expected / (np.linalg.norm(colour) * np.linalg.norm(expected) + 1e-9) > 0.9
    assert hits >= 54  # a pasted sign is soft, and darker or lighter
    plain, _ = task_of(street_folder, composed=0.0).scenes(seeds, numbers)
    assert (canvas != plain).reshape(60, -1).any(1).mean() > 0.9
    mixed = task_of(street_folder, composed=0.5).scenes(seeds, numbers)[0]
    real = sum((mixed[row] == plain[row]).all() for row in range(60))
    assert 15 <= real <= 45


def test_composing_is_variety_for_training_alone(street_folder: str) -> None:
    from runs.environments import split_kwargs

    kept = split_kwargs("TrafficSigns-v0", "validation", {"composed": 0.8, "resize": 50})
    assert "composed" not in kept
    assert kept["resize"] == 50
    assert "composed" in split_kwargs("TrafficSigns-v0", "train", {"composed": 0.8})


def test_near_target_is_a_look_within_one_width_of_the_middle(street_folder: str) -> None:
    env = gym.make_vec(
        ID, num_envs=1, data=street_folder, split="test", order="sequential", resize=100, patch=6, num_glimpses=4
    )
    _, info = env.reset(seed=0)
    (box,) = env.unwrapped.task.target_boxes(np.zeros(1, np.int64), np.zeros(1, np.int64))
    middle, width = (box[:2] + box[2:]) / 2, box[2] - box[0]
    centre = np.hypot(*(np.array([50, 29.5]) - middle)) <= width
    assert info["near_target"][0] == centre
    for step, (distance, near) in enumerate([(1.05, False), (0.95, True), (3.0, True)]):
        place = (middle + np.array([distance * width, 0])) / np.array([50, 29.5]) - 1
        if abs(place[0]) > 1:
            place = (middle - np.array([distance * width, 0])) / np.array([50, 29.5]) - 1
        *_, info = env.step({"location": place[None].astype(np.float32), "answer": np.zeros(1, np.int64)})
        assert info["near_target"][0] == (near or centre), step


@pytest.mark.parametrize(("answer", "size"), [("category", 4), ("class", 43), ("categories", 4)])
def test_answers(street_folder: str, answer: str, size: int) -> None:
    env = gym.make_vec(
        ID, num_envs=6, data=street_folder, resize=100, answer=answer, patch=6, num_glimpses=2, order="sequential"
    )
    _, info = env.reset(seed=0)
    space = env.single_action_space["answer"]
    assert (int(space.n) if answer != "categories" else space.shape[0]) == size
    action = {"location": np.zeros((6, 2), np.float32), "answer": info["target"]}
    env.step(action)
    _, reward, terminated, _, info = env.step(action)
    assert terminated.all()
    assert (reward == 1).all()
    assert info["correct"].all()
    if answer == "categories":
        action["answer"] = 1 - info["target"]
        env.reset(seed=0)
        env.step(action)
        assert (env.step(action)[1] == 0).all()


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"answer": "colour"}, "answer must be"),
        ({"composed": 1.5}, "composed is a share"),
        ({"split": "all"}, "unknown split"),
        ({"order": "sorted"}, "order must be"),
        ({"overview": 500}, "overview is"),
        ({"classes": ["stop", "go"]}, r"classes of answer='category' are \['prohibitory'.*got \['stop', 'go'\]"),
    ],
)
def test_wrong_arguments_are_refused(street_folder: str, kwargs: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        task_of(street_folder, **kwargs)


@pytest.mark.parametrize(
    ("answer", "names"), [("category", CATEGORIES), ("categories", CATEGORIES), ("class", CLASSES)]
)
def test_the_names_of_answers_may_be_given_back(street_folder: str, answer: str, names: tuple[str, ...]) -> None:
    found = task_of(street_folder, answer=answer).names()
    assert found == {"classes": names}
    assert task_of(street_folder, answer=answer, classes=list(names)).names() == found


def test_a_missing_folder_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("GLIMPSE_DATA", raising=False)
    for arguments in ({}, {"data": tmp_path}):
        with pytest.raises(FileNotFoundError, match=r"Traffic Sign Detection Benchmark.*data="):
            gym.make(ID, **arguments)


def test_a_damaged_listing_is_refused_by_its_line() -> None:
    for line in ("00001.ppm;1;2;3;4", "00001.ppm;9;2;3;4;5", "00001.ppm;1;2;3;4;43", "x.ppm;1;2;3;4;5"):
        with pytest.raises(ValueError, match=line):
            read_listing([line], "gt.txt")


def test_missing_pictures_are_said(street_folder: str, tmp_path: Path, saying: Any) -> None:
    for file in Path(street_folder).iterdir():
        if file.name != "00603.png":
            (tmp_path / file.name).symlink_to(file)
    with saying(r"1 pictures of gt.txt are missing and left out, such as 00603"):
        assert task_of(str(tmp_path), split="test").num_episodes == 7
