"""A saliency map of your own: how it is loaded, its value at a fixation, and that a gaze follows it."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig, collect
from agents.training.checkpoint import load_checked
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from runs.environments import make_env
from runs.heatmap import heatmap
from runs.saliency_prior import SaliencyPrior, canvas_values, line_values, load_saliency_prior
from runs.training import train

CPU = torch.device("cpu")


def load(path: str | Path, recipe: Recipe, rows: int = 2) -> SaliencyPrior:
    return load_saliency_prior(path, make_env(recipe, "train", rows, CPU), device=CPU, seed=recipe.seed)


def begin(recipe: Recipe) -> Trainer:
    env = make_env(recipe, "train", recipe.batch, CPU)
    path = recipe.saliency_prior
    prior = None if path is None else load_saliency_prior(path, env, device=CPU, seed=recipe.seed)
    return Trainer.begin(recipe, env, CPU, prior=prior)


@pytest.fixture
def recipe(images: str) -> Recipe:
    """Find the figure on a 24×24 canvas with three glimpses of 6×6."""
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    return Recipe("toy", env, AgentConfig(width=32, where_stream=32), episodes=640, batch=64, lr=3e-3)


@pytest.fixture
def story(babi_folder: str) -> Recipe:
    env = EnvConfig("BabiGaze-v0", arguments=(f"data={babi_folder}", "start=random"))
    options = ("slots=3", "width=16")
    agent = AgentConfig(
        width=16, saccades="absolute", core="none", memory="episodic", memory_options=options, ignore=()
    )
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
    rows, columns = np.indices((4, 6))
    everywhere = np.stack([columns + 0.5, rows + 0.5], -1) / (6, 4) * 2 - 1
    chance = canvas_values(torch.from_numpy(map), torch.from_numpy(everywhere.astype(np.float32)))[1].mean()
    assert float(chance) == pytest.approx(0, abs=1e-5)


def test_scores_of_lines_are_among_those_of_their_own_story() -> None:
    lines = torch.tensor([[0.5, -0.5, 9.0], [1.0, 1.0, 1.0], [0.0, 0.0, 0.6]])
    values, scores = line_values(lines, torch.tensor([2, 3, 3]), torch.tensor([[0, 2, 2], [1, 0, 0]]))
    torch.testing.assert_close(values, torch.tensor([[0.5, 1.0, 0.6], [-0.5, 1.0, 0.0]]))
    torch.testing.assert_close(scores, torch.tensor([[1, 0, 2**0.5], [-1, 0, -(0.5**0.5)]]))


def test_a_picture_of_any_size_is_resized_to_the_canvas(recipe: Recipe, tmp_path: Path) -> None:
    for size in (6, 24, 480):
        picture = np.full((size, size), 128, np.uint8)
        picture[: size // 2, : size // 2], picture[size // 2 :, size // 2 :] = 255, 0
        cv2.imwrite(str(tmp_path / "map.png"), picture)
        values = load(tmp_path / "map.png", recipe).values
        assert values.shape == (24, 24)
        corners = values[[0, 0, -1, -1], [0, -1, 0, -1]]
        torch.testing.assert_close(corners, torch.tensor([1.0, 1 / 255, 1 / 255, -1.0]))


def test_what_is_transparent_is_neutral(recipe: Recipe, tmp_path: Path) -> None:
    picture = np.zeros((24, 24, 4), np.uint8)
    picture[:, :12] = 255  # the right half is black, and transparent
    cv2.imwrite(str(tmp_path / "map.png"), picture)
    values = load(tmp_path / "map.png", recipe).values
    torch.testing.assert_close(values[0, [0, -1]], torch.tensor([1.0, 1 / 255]))


@pytest.mark.parametrize("name", ["words.json", "words.csv"])
def test_words_weigh_lines(story: Recipe, tmp_path: Path, name: str) -> None:
    given = {"Mary": 2, "park": -1}
    text = json.dumps(given) if name.endswith("json") else "".join(f"{word}, {x}\n" for word, x in given.items())
    (tmp_path / name).write_text(text)
    recipe = replace(story, saliency_prior=str(tmp_path / name), batch=20, seed=4)
    trainer = begin(recipe)
    noise = {"location": torch.randn(3, 20, 1)}
    trajectory = collect(trainer.agent, trainer.env, np.arange(20), seed=4, noise=noise, std=1.0)
    assert trainer.prior is not None
    values, scores = trainer.prior.at(trajectory)
    task = trainer.env.env.unwrapped.task
    index = task.question_index(torch.full((20,), 4), torch.arange(20)).tolist()
    for n, number in enumerate(index):
        lines = [task.line_text(number, line) for line in range(int(task.counts[number]))]
        weights = np.array([("mary" in line) - 0.5 * ("park" in line) for line in lines])
        for t in range(3):
            line = int((float(trajectory.observations["location"][t, n, 0]) + 1) / 2 * len(lines))
            assert float(values[t, n]) == weights[line]
            spread = weights.std()
            expected = (weights[line] - weights.mean()) / spread if spread else 0
            assert float(scores[t, n]) == pytest.approx(expected, abs=1e-5)


def agreement(recipe: Recipe, path: str | Path, weight: float) -> float:
    """How well the gaze agrees with the map in the last updates of a training that follows it by this weight."""
    trainer = begin(replace(recipe, saliency_prior=str(path), saliency_weight=weight))
    logged = [train_update(trainer) for _ in range(recipe.updates())]
    return float(np.mean([float(scalars["attention/saliency_agreement"]) for scalars in logged[-5:]]))


def test_a_gaze_follows_its_map(recipe: Recipe, left: str) -> None:
    recipe = replace(recipe, episodes=64 * 40, lr=1e-2)
    own, toward, away = (agreement(recipe, left, weight) for weight in (0.0, 0.5, -0.5))
    assert toward > own + 0.4
    assert away < own - 0.4


def test_a_gaze_follows_words(story: Recipe, tmp_path: Path) -> None:
    (tmp_path / "words.csv").write_text("mary,1\n")
    own, toward = (agreement(story, tmp_path / "words.csv", weight) for weight in (0.0, 3.0))
    assert toward > own + 0.1


def test_a_training_goes_on_with_the_same_map_only(recipe: Recipe, left: str, tmp_path: Path) -> None:
    recipe = replace(recipe, saliency_prior=left, episodes=128)
    train(recipe, tmp_path / "run", device="cpu", quiet=True)
    numbers = heatmap(tmp_path / "run" / "agent.pt", [tmp_path / "heat.json"], episodes=90, saliency_prior=Path(left))
    assert -1 <= numbers["saliency_agreement"] <= 1  # in a map of two values
    begin(recipe).restore(load_checked(tmp_path / "run" / "checkpoint.pt"))
    picture = cv2.imread(left, cv2.IMREAD_GRAYSCALE)
    cv2.imwrite(left, 255 - picture)
    with pytest.raises(ValueError, match=r"left\.png has changed since the training began"):
        train(recipe, tmp_path / "run", device="cpu", quiet=True, resume=True)
    Path(left).unlink()
    with pytest.raises(FileNotFoundError, match=r"no saliency map at .*left\.png"):
        train(recipe, tmp_path / "run", device="cpu", quiet=True, resume=True)


def encoded(picture: np.ndarray) -> bytes:
    return bytes(cv2.imencode(".png", picture)[1])


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "map.png cannot be read as an image"),
        (b"no picture", "map.png cannot be read as an image"),
        (encoded(np.zeros((24, 30), np.uint8)), r"has 30×24 pixels and the canvas 24×24: .*aspect ratio"),
        (encoded(np.full((24, 24), 90, np.uint8)), "the same grey everywhere"),
    ],
)
def test_a_picture_that_is_no_map_is_refused(recipe: Recipe, tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "map.png").write_bytes(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / "map.png", recipe)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("a.json", "[1]", "holds no words with weights"),
        ("a.csv", "mary\n", "holds no words with weights"),
        ("a.csv", "mary,much\n", "holds no words with weights"),
        ("a.csv", "mary,1\nwolf,1\n", "no word 'wolf'; they have"),
        ("a.csv", "mary,nan\njohn,1\n", "finite numbers"),
        ("a.csv", "", "not all of them 0"),
    ],
)
def test_words_without_weights_are_refused(
    story: Recipe, tmp_path: Path, name: str, content: str, message: str
) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=message):
        load(tmp_path / name, story)


def test_a_map_needs_a_gaze_that_is_learned(recipe: Recipe, story: Recipe, left: str) -> None:
    with pytest.raises(ValueError, match="draws a gaze that is learned"):
        begin(replace(recipe, saliency_prior=left, gaze="random"))
    whole = replace(story, env=replace(story.env, id="Babi-v0", arguments=story.env.arguments[:1]))
    one_glimpse = replace(recipe, env=replace(recipe.env, num_glimpses=1))
    for without in (whole, one_glimpse):
        with pytest.raises(ValueError, match="needs a task with one, on images or on hidden stories"):
            load(left, without)
