"""A person's own map: how it is read, what it is worth at a place, and that a gaze follows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig, play
from agents.checkpoint import load_checked
from runs.environments import make_env
from runs.guide import canvas_values, line_values, load_guide
from runs.heatmap import heatmap
from runs.objective import gaze_returns
from runs.recipe import EnvConfig, Recipe
from runs.train import train
from runs.trainer import Trainer, train_update

CPU = torch.device("cpu")


@pytest.fixture
def recipe(images: str) -> Recipe:
    """Find the figure on a 24×24 canvas with three glimpses of 6×6."""
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    return Recipe("toy", env, AgentConfig(width=32, where_stream=32), episodes=640, batch=64, lr=3e-3)


@pytest.fixture
def story(babi_folder: str) -> Recipe:
    env = EnvConfig("BabiGaze-v0", arguments=(f"data={babi_folder}", "start=random"))
    options = ("slots=3", "width=16")
    agent = AgentConfig(width=16, saccades="absolute", core="none", memory="episodic", memory_options=options)
    return Recipe("story", env, agent, episodes=64 * 40, batch=64, lr=1e-2, std=1.0)


@pytest.fixture
def left(tmp_path: Path) -> str:
    """White to the left, black to the right."""
    cv2.imwrite(str(tmp_path / "left.png"), np.repeat(np.repeat([[255, 0]], 48, 0), 24, 1).astype(np.uint8))
    return str(tmp_path / "left.png")


def test_values_and_scores_of_a_map_are_those_of_its_cells() -> None:
    rng = np.random.default_rng(0)
    map, cells = rng.uniform(-1, 1, (4, 6)).astype(np.float32), rng.integers(0, (4, 6), (3, 5, 2))
    location = (cells[..., ::-1] + 0.5) / (6, 4) * 2 - 1
    values, scores = canvas_values(torch.from_numpy(map), torch.from_numpy(location.astype(np.float32)))
    expected = map[cells[..., 0], cells[..., 1]]
    np.testing.assert_allclose(values, expected, atol=1e-5)
    np.testing.assert_allclose(scores, (expected - map.mean()) / map.std(), atol=1e-5)
    corner = canvas_values(torch.from_numpy(map), torch.full((1, 1, 2), -1.0))[0]
    assert float(corner) == pytest.approx(map[0, 0])


def test_looks_spread_evenly_agree_with_no_map() -> None:
    map = torch.randn(5, 5)
    x, y = torch.meshgrid(*[(torch.arange(5) + 0.5) / 5 * 2 - 1] * 2, indexing="xy")
    assert float(canvas_values(map, torch.stack([x, y], -1))[1].mean()) == pytest.approx(0, abs=1e-5)


def test_scores_of_lines_are_among_those_of_their_own_story() -> None:
    lines = torch.tensor([[0.5, -0.5, 9.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.6]])
    told = torch.tensor([[True, True, False], [True, True, True], [True, True, True]])
    values, scores = line_values(lines, told, torch.tensor([[0, 2, 2], [1, 0, 0]]))
    torch.testing.assert_close(values, torch.tensor([[0.5, 1.0, 0.6], [-0.5, 1.0, 0.0]]))
    torch.testing.assert_close(scores, torch.tensor([[1, 0, 2**0.5], [-1, 0, -(0.5**0.5)]]))


@pytest.mark.parametrize("reward", ["gain", "final"])
def test_the_guide_adds_its_discounted_values_to_the_return(recipe: Recipe, reward: Any) -> None:
    recipe = replace(recipe, reward=reward, discount=0.5, guide_weight=0.2)
    env = make_env(recipe, "train", 4, CPU)
    rollout = play(
        Trainer.begin(recipe, env, CPU).agent, env, np.arange(4), seed=1, std=0.2, noise=torch.randn(2, 4, 2)
    )
    guided = torch.randn(2, 4)
    more = gaze_returns(recipe, rollout, guided) - gaze_returns(recipe, rollout)
    expected = torch.stack([0.2 * guided[0] + 0.1 * guided[1], 0.2 * guided[1]])
    torch.testing.assert_close(more, expected, rtol=0, atol=1e-6)


def test_a_picture_of_any_size_is_fitted_to_the_canvas(recipe: Recipe, tmp_path: Path) -> None:
    env = make_env(recipe, "train", 2, CPU)
    for size in (6, 24, 480):
        picture = np.full((size, size), 128, np.uint8)
        picture[: size // 2, : size // 2], picture[size // 2 :, size // 2 :] = 255, 0
        cv2.imwrite(str(tmp_path / "guide.png"), picture)
        guide = load_guide(tmp_path / "guide.png", env, CPU)
        assert guide.values.shape == (24, 24)
        corners = guide.values[[0, 0, -1, -1], [0, -1, 0, -1]]
        torch.testing.assert_close(corners, torch.tensor([1.0, 1 / 255, 1 / 255, -1.0]))


@pytest.mark.parametrize("name", ["words.json", "words.csv"])
def test_words_weigh_lines(story: Recipe, tmp_path: Path, name: str) -> None:
    given = {"Mary": 2, "park": -1}
    text = json.dumps(given) if name.endswith("json") else "".join(f"{word}, {x}\n" for word, x in given.items())
    (tmp_path / name).write_text(text)
    env = make_env(story, "train", 20, CPU)
    guide = load_guide(tmp_path / name, env, CPU)
    task, location = env.unwrapped.task, torch.rand(3, 20, 1) * 2 - 1
    values, scores = guide.at(env, np.arange(20), 4, location)
    state = task.asked(torch.full((20,), 4), torch.arange(20))
    for n, index in enumerate(state["index"].tolist()):
        told = [task.line(index, place) for place in range(int(task.counts[index]))]
        worth = np.array([("mary" in line) - 0.5 * ("park" in line) for line in told])
        for t in range(3):
            line = int((float(location[t, n, 0]) + 1) / 2 * len(told))
            assert float(values[t, n]) == worth[line]
            spread = worth.std()
            expected = (worth[line] - worth.mean()) / spread if spread else 0
            assert float(scores[t, n]) == pytest.approx(expected, abs=1e-5)


def test_a_gaze_follows_its_guide(recipe: Recipe, left: str, tmp_path: Path) -> None:
    recipe = replace(recipe, episodes=64 * 80)
    agreement = {}
    for name, guide, weight in (("own", None, 0.0), ("toward", left, 0.1), ("away", left, -0.1)):
        train(replace(recipe, guide=guide, guide_weight=weight), tmp_path / name, device="cpu", quiet=True)
        out = [tmp_path / "heat.json"]
        numbers = heatmap(tmp_path / name / "agent.pt", out, episodes=90, guide=Path(left), device="cpu")
        agreement[name] = numbers["guide_agreement"]
    assert agreement["toward"] > agreement["own"] + 0.4
    assert agreement["away"] < agreement["own"] - 0.4


def test_a_gaze_follows_words(story: Recipe, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("mary,1\n")
    scores = []
    for weight in (0.0, 3.0):
        recipe = replace(story, guide=str(tmp_path / "words.csv"), guide_weight=weight)
        env = make_env(recipe, "train", 64, CPU)
        trainer = Trainer.begin(recipe, env, CPU)
        logged = [train_update(trainer, env, CPU) for _ in range(recipe.updates())]
        scores.append(np.mean([float(scalars["attention/guide_agreement"]) for scalars in logged[-10:]]))
    assert scores[1] > scores[0] + 0.1


def test_a_training_goes_on_with_the_same_guide_alone(recipe: Recipe, left: str, tmp_path: Path) -> None:
    recipe = replace(recipe, guide=left)
    train(recipe, tmp_path / "run", device="cpu", quiet=True)
    values = load_checked(tmp_path / "run" / "checkpoint.pt")
    env = make_env(recipe, "train", 64, CPU)
    Trainer.begin(recipe, env, CPU).restore(values)
    picture = cv2.imread(left, cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(left, 255 - picture)
    with pytest.raises(ValueError, match=r"left\.png has changed since the training began"):
        train(recipe, tmp_path / "run", device="cpu", quiet=True, resume=True)
    Path(left).unlink()
    with pytest.raises(FileNotFoundError, match=r"no guide at .*left\.png"):
        train(recipe, tmp_path / "run", device="cpu", quiet=True, resume=True)


def encoded(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is not an image"),
        (b"no picture", "is not an image"),
        (encoded(np.zeros((24, 30), np.uint8)), r"has 30×24 pixels and the canvas 24×24: .*aspect ratio"),
        (encoded(np.full((24, 24), 90, np.uint8)), "grey alike all over"),
    ],
)
def test_a_picture_that_is_no_guide_is_refused(recipe: Recipe, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "guide.png").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load_guide(tmp_path / "guide.png", make_env(recipe, "train", 2, CPU), CPU)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[1]", "holds no words with weights"),
        ("a.json", "{", "holds no words with weights"),
        ("a.csv", "mary\n", "holds no words with weights"),
        ("a.csv", "mary,much\n", "holds no words with weights"),
        ("a.csv", "mary,1\nwolf,1\n", "no word 'wolf'; they have"),
        ("a.csv", "mary,0\n", "not all of them 0"),
        ("a.csv", "mary,nan\njohn,1\n", "finite numbers"),
        ("a.csv", "", "not all of them 0"),
    ],
)
def test_words_that_are_no_guide_are_refused(
    story: Recipe, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load_guide(tmp_path / name, make_env(story, "train", 2, CPU), CPU)


def test_only_a_gaze_that_learns_can_be_guided(recipe: Recipe, story: Recipe, left: str) -> None:
    env = make_env(recipe, "train", 2, CPU)
    with pytest.raises(ValueError, match="not one that is random"):
        Trainer.begin(replace(recipe, guide=left, gaze="random"), env, CPU)
    reader = replace(story.env, id="Babi-v0", arguments=story.env.arguments[:1])
    with pytest.raises(ValueError, match="needs a task with a gaze"):
        load_guide(left, make_env(replace(story, env=reader), "train", 2, CPU), CPU)
