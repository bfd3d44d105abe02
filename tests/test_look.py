"""`agent.look`: the same as the environment shows the agent; and `python -m runs.look`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import cv2
import gymnasium as gym
import numpy as np
import pytest
import torch

import glimpse_env.tasks.image_task
from agents import AgentConfig, load_agent, make_agent
from agents.agent import AttentionAgent
from agents.evaluation import play
from agents.loading import agent_to_dict, build_agent, copy_weights
from agents.look import Look, look, looks
from agents.names import names_of
from agents.training.checkpoint import CHECKOUT, PRETRAINED, find_checkpoint, save_atomically
from agents.training.recipe import EnvConfig, Recipe
from runs.environments import make_env
from runs.evaluation import evaluate_checkpoint
from runs.look import main, trace_of
from runs.traces.animation import animation_frames
from runs.traces.contact_sheet import contact_sheet
from runs.traces.layout import TRUTH, WRONG

DEMO = CHECKOUT / "runs" / "demo"
CLASSES = ["cat", "dog", "owl"]


def random_picture(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def save_agent(path: Path, channels: int = 1, names: Any = CLASSES, gaze: str = "learned", **env: Any) -> Path:
    """The weight file of an agent of random weights, whose gaze moves."""
    settings: dict[str, Any] = {"num_glimpses": 4, "patch": 6, "scales": 2, **env}
    arguments = tuple(f"{key}={settings.pop(key)}" for key in ("saccades", "overview", "augment") if key in settings)
    config = EnvConfig("Classify-v0", images="own.npz", arguments=arguments, **settings)
    shown = {"images": random_picture(0, 3, 20, 20, channels), "labels": np.arange(3), "split": "all"}
    kwargs = {key: value for key, value in config.kwargs().items() if key != "images"}
    made = gym.make("glimpse_env:Glimpse/Classify-v0", **shown, **kwargs)
    steps = "absolute" if "saccades" in env else "relative"  # one of the two takes steps
    agent = make_agent(made, AgentConfig(width=16, where_stream=8, saccades=steps))
    torch.manual_seed(3)
    for parameter in agent.parameters():
        torch.nn.init.normal_(parameter, std=0.2)
    recipe = Recipe("toy", config, agent.config, gaze=gaze)
    content = {"recipe": recipe.to_dict(), "agent": agent_to_dict(agent)}
    save_atomically({**content, **({"names": {"classes": names}} if names else {})}, path)
    return path


@pytest.fixture
def agent(tmp_path: Path) -> AttentionAgent:
    return load_agent(save_agent(tmp_path / "agent.pt"))


def played(agent: Any, canvas: np.ndarray, **env: Any) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Beliefs, path and glimpses of an episode that shows this canvas."""
    kwargs: dict[str, Any] = {"num_glimpses": 4, "patch": 6, "scales": 2, **env}
    shown = {"images": canvas[None], "labels": [0], "names": CLASSES, "split": "all"}
    made = gym.make("glimpse_env:Glimpse/Classify-v0", **shown, **kwargs)
    ((trajectory, _),) = play(agent, made, np.arange(1))
    beliefs = trajectory.params["answer"][:, 0].softmax(-1)
    return beliefs.numpy(), *(trajectory.observations[part][:, 0].numpy() for part in ("location", "glimpse"))


def same(one: Look, other: Look) -> bool:
    return one[:2] == other[:2] and all(np.array_equal(a, b) for a, b in zip(one[2:], other[2:], strict=True))


# The same as through the environment


@pytest.mark.parametrize(("shape", "channels"), [((30, 22), 1), ((20, 20, 1), 1), ((17, 40, 3), 3)], ids=str)
def test_a_look_is_an_episode_of_the_environment(tmp_path: Path, shape: tuple[int, ...], channels: int) -> None:
    agent = load_agent(save_agent(tmp_path / "agent.pt", channels))
    picture = random_picture(1, *shape)
    seen = agent.look(picture)
    beliefs, path, glimpses = played(agent, picture)
    np.testing.assert_array_equal(seen.beliefs, beliefs)
    np.testing.assert_array_equal(seen.path, path)
    np.testing.assert_array_equal(seen.glimpses, glimpses)
    assert len(np.unique(path, axis=0)) > 2  # it moves
    assert seen.label == CLASSES[int(beliefs[-1].argmax())]
    assert list(seen.probabilities) == CLASSES
    np.testing.assert_array_equal(list(seen.probabilities.values()), beliefs[-1])


def test_a_cluttered_canvas_is_looked_at_as_in_its_own_task(noise_digits: None) -> None:
    agent = load_agent("cluttered")
    env = gym.make("glimpse_env:Glimpse/ClutteredMNIST-v0", split="test")
    ((trajectory, _),) = play(agent, env, np.array([5]), seed=9)
    seen = agent.look(env.unwrapped.task.canvas(9, 5))
    np.testing.assert_array_equal(seen.beliefs, trajectory.params["answer"][:, 0].softmax(-1))
    np.testing.assert_array_equal(seen.glimpses, trajectory.observations["glimpse"][:, 0])


def test_fixations_are_in_pixels_of_the_picture(agent: AttentionAgent) -> None:
    seen = agent.look(random_picture(1, 30, 50))
    assert seen.fixations[0].tolist() == [25, 15]
    np.testing.assert_allclose(seen.fixations, (seen.path + 1) / 2 * [50, 30], atol=1e-5)
    assert (seen.fixations >= 0).all()
    assert (seen.fixations <= [50, 30]).all()


def test_a_large_picture_is_shrunk_as_in_training(tmp_path: Path) -> None:
    """And its fixations are in its own pixels, of an array and of a file."""
    agent = load_agent(save_agent(tmp_path / "agent.pt", resize=20))
    picture = np.kron(random_picture(1, 15, 20), np.ones((4, 4), np.uint8))
    cv2.imwrite(str(tmp_path / "large.png"), picture)
    large, file, small = agent.look([picture, tmp_path / "large.png", picture[::4, ::4]])
    for seen in (large, file):
        np.testing.assert_array_equal(seen.glimpses, small.glimpses)
        np.testing.assert_allclose(seen.fixations, 4 * small.fixations, atol=1e-4)
    assert large.fixations[0].tolist() == [40, 30]


@pytest.mark.parametrize("fit", ["contain", "cover"])
def test_a_picture_is_fitted_as_in_training(tmp_path: Path, fit: Any) -> None:
    """And its fixations are in its own pixels: outside of it where it does not cover the canvas."""
    agent = load_agent(save_agent(tmp_path / "agent.pt", fit=fit, size=20))
    picture = random_picture(1, 40, 80)
    seen = agent.look(picture)
    beliefs, path, glimpses = played(agent, picture, fit=fit, size=20)
    np.testing.assert_array_equal(seen.path, path)
    np.testing.assert_array_equal(seen.glimpses, glimpses)
    np.testing.assert_array_equal(seen.beliefs, beliefs)
    side = 80 if fit == "contain" else 40
    np.testing.assert_allclose(seen.fixations, [40, 20] + path * side / 2, atol=1e-4)
    cv2.imwrite(str(tmp_path / "picture.png"), picture)
    assert same(agent.look(tmp_path / "picture.png"), seen)


def test_an_overview_is_shown_as_in_training(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    agent = load_agent(save_agent(tmp_path / "agent.pt", overview=10))
    assert agent.spec.observation["overview"].shape == (1, 10, 10)
    picture = random_picture(1, 30, 60)  # of another shape
    seen = agent.look(picture)
    np.testing.assert_array_equal(seen.beliefs, played(agent, picture, overview=(10, 10))[0])
    monkeypatch.setattr(glimpse_env.tasks.image_task, "MAX_PIXELS", 0)
    assert same(agent.look(picture), seen)


def test_variety_is_for_training(tmp_path: Path) -> None:
    agent = load_agent(save_agent(tmp_path / "agent.pt", overhang=3, augment=0.5))
    picture = random_picture(1, 30, 30)
    np.testing.assert_array_equal(agent.look(picture).glimpses, played(agent, picture)[2])


@pytest.mark.parametrize("gaze", ["learned", "random"])
def test_an_agent_of_street_scenes_looks_at_a_scene_as_in_its_task(
    tmp_path: Path, street_folder: str, gaze: str
) -> None:
    arguments = ("overview=34", "composed=0.8", f"data={street_folder}")
    config = EnvConfig("TrafficSigns-v0", resize=170, patch=6, scales=2, arguments=arguments)
    recipe = Recipe("signs", config, AgentConfig(width=16, core="max", saccades="cells", ignore=("time",)), gaze=gaze)
    env = make_env(recipe, "test", 8, torch.device("cpu"))
    made = make_agent(env, recipe.agent)
    content = {"recipe": recipe.to_dict(), "agent": agent_to_dict(made), "names": names_of(env.metadata)}
    save_atomically(content, tmp_path / "agent.pt")
    agent = load_agent(tmp_path / "agent.pt")
    found = agent.look(Path(street_folder) / "00600.png")
    ((trajectory, _),) = play(agent, env, np.arange(8), gaze=gaze)
    np.testing.assert_array_equal(found.path, trajectory.observations["location"][:, 0])
    np.testing.assert_array_equal(found.glimpses, trajectory.observations["glimpse"][:, 0])
    np.testing.assert_allclose(found.beliefs, trajectory.params["answer"][:, 0].softmax(-1), atol=1e-6)
    assert list(found.probabilities) == ["prohibitory", "mandatory", "danger", "other"]
    assert found.path.shape == (6, 2)
    assert found.fixations[0].tolist() == [680, 400]
    report = evaluate_checkpoint(tmp_path / "agent.pt", episodes=8, device="cpu")
    assert report["classes"] == ["prohibitory", "mandatory", "danger", "other"]
    labelled = {
        "images": random_picture(1, 3, 90, 60, 3),
        "labels": np.arange(3),
        "names": ["other", "danger", "mandatory"],
    }
    np.savez(tmp_path / "own.npz", **labelled)
    report = evaluate_checkpoint(tmp_path / "agent.pt", images=tmp_path / "own.npz", device="cpu")
    assert sum(map(sum, report["confusion"])) == 3
    with pytest.raises(ValueError, match="take fewer cells, or a larger canvas"):
        agent.look(random_picture(1, 10, 10, 3))
    found = agent.look(random_picture(1, 300, 200, 3))
    assert found.fixations[0].tolist() == [100, 150]


def test_the_settings_of_the_training_count(tmp_path: Path) -> None:
    picture = random_picture(1, 30, 30)
    for settings in ({"num_glimpses": 6, "patch": 5, "scales": 3}, {"saccades": "relative"}, {"start": "random"}):
        agent = load_agent(save_agent(tmp_path / "agent.pt", **settings))
        beliefs, path, _ = played(agent, picture, **settings)
        seen = agent.look(picture)
        np.testing.assert_array_equal(seen.path, path)
        np.testing.assert_array_equal(seen.beliefs, beliefs)
    assert not np.array_equal(agent.look(picture, seed=1).path, path)  # the first fixation is random


def test_a_control_looks_at_random(tmp_path: Path) -> None:
    learned, random = (load_agent(save_agent(tmp_path / "a.pt", gaze=gaze)) for gaze in ("learned", "random"))
    picture = random_picture(1, 30, 30)
    assert not np.array_equal(learned.look(picture).path, random.look(picture).path)
    assert not np.array_equal(random.look(picture, seed=1).path, random.look(picture).path)


def test_a_large_picture_needs_no_table(agent: AttentionAgent, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = random_picture(1, 3000, 2900)  # too large for one
    seen = agent.look(picture)
    assert seen.fixations[0].tolist() == [1450, 1500]
    small = random_picture(2, 40, 40)
    by_table = agent.look(small)
    monkeypatch.setattr(glimpse_env.tasks.image_task, "MAX_PIXELS", 0)
    assert same(agent.look(small), by_table)


# Several pictures, files, channels


def test_a_list_of_arrays_and_files_in_its_order(agent: AttentionAgent, tmp_path: Path) -> None:
    arrays = [random_picture(seed, *size) for seed, size in enumerate([(20, 20), (9, 30), (20, 20), (40, 40)])]
    cv2.imwrite(str(tmp_path / "four.png"), arrays[3])
    found = agent.look([*arrays[:3], tmp_path / "four.png", str(tmp_path / "four.png")])
    assert isinstance(found, list)
    for seen, picture in zip(found, [*arrays, arrays[3]], strict=True):
        alone = agent.look(picture)
        np.testing.assert_allclose(seen.beliefs, alone.beliefs, atol=1e-6)  # two rows are multiplied otherwise than one
        np.testing.assert_allclose(seen.fixations, alone.fixations, atol=1e-4)
    assert same(found[3], found[4])


def test_a_folder_is_its_files_by_name(agent: AttentionAgent, tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    (folder / "deeper").mkdir(parents=True)
    (folder / ".hidden").write_text("no picture")
    for name, seed in (("b.png", 1), ("a.png", 2)):
        cv2.imwrite(str(folder / name), random_picture(seed, 25, 25))
    found = agent.look(str(folder))
    assert same(found[0], agent.look(folder / "a.png"))
    assert same(found[1], agent.look(folder / "b.png"))
    (folder / "notes.txt").write_text("no picture")
    with pytest.raises(ValueError, match=r"notes\.txt cannot be read as an image"):
        agent.look(folder)


def test_colours_are_converted_and_this_is_said(agent: AttentionAgent, tmp_path: Path, saying: Any) -> None:
    colour = random_picture(1, 24, 24, 3)
    cv2.imwrite(str(tmp_path / "colour.png"), colour[..., ::-1])
    grey = cv2.cvtColor(colour, cv2.COLOR_RGB2GRAY)
    with saying("Images in RGB are shown in grey"):
        of_array = agent.look(colour)
    assert same(of_array, agent.look(grey))
    assert same(of_array, agent.look(tmp_path / "colour.png"))
    in_colour = load_agent(save_agent(tmp_path / "rgb.pt", channels=3))
    with saying("Grey images are shown in RGB"):
        seen = in_colour.look(grey)
    assert same(seen, in_colour.look(np.repeat(grey[..., None], 3, axis=2)))


def test_the_canvas_is_what_was_looked_at(agent: AttentionAgent) -> None:
    picture = random_picture(1, 24, 30)
    ((number, seen, canvas),) = looks(agent, [picture])
    assert number == 0
    assert same(seen, agent.look(picture))
    np.testing.assert_array_equal(canvas[..., 0], picture)


def test_classes_without_names_are_numbers(tmp_path: Path) -> None:
    agent = load_agent(save_agent(tmp_path / "agent.pt", names=None))
    assert list(agent.look(random_picture(1, 20, 20)).probabilities) == ["0", "1", "2"]


# What is refused


@pytest.mark.parametrize(
    ("pictures", "message"),
    [
        (np.zeros((4, 4)), "array of uint8, or a path; got float64"),
        (np.zeros((2, 4, 4), np.uint8), r"got \(2, 4, 4\); give several as a list"),
        (np.zeros((4, 0), np.uint8), r"got \(4, 0\)"),
        ([], "no pictures: give at least one"),
        (__file__, "cannot be read as an image"),
    ],
    ids=str,
)
def test_wrong_pictures(agent: AttentionAgent, pictures: Any, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        agent.look(pictures)


def test_pictures_that_are_not_there(agent: AttentionAgent, tmp_path: Path) -> None:
    (tmp_path / "owl.png").touch()
    with pytest.raises(FileNotFoundError, match=r"no picture at .*owk\.png: did you mean owl\.png\?"):
        agent.look(tmp_path / "owk.png")
    (tmp_path / "empty").mkdir()
    with pytest.raises(ValueError, match="empty has no pictures"):
        agent.look(tmp_path / "empty")


def test_agents_that_cannot_look(agent: AttentionAgent) -> None:
    picture = random_picture(1, 60, 60)
    with pytest.raises(ValueError, match=r"load it with agents\.load_agent"):
        look(build_agent(agent.spec, agent.config), picture)
    with pytest.raises(ValueError, match="not for Babi-v0"):
        load_agent("babi-1k").look(picture)
    whole = load_agent("cnn-cluttered")
    assert whole.look(picture).beliefs.shape == (1, 10)
    with pytest.raises(ValueError, match="takes pictures of 60×60 pixels, not of 50×60"):
        whole.look(picture[:50])


# Agents by name


def test_a_name_stands_for_a_pretrained_agent(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_checkpoint("cluttered") == PRETRAINED / "cluttered.pt"
    assert find_checkpoint("runs/pretrained/mnist.pt") == PRETRAINED / "mnist.pt"  # beside the package
    agent = load_agent("cluttered")
    assert agent.trained["recipe"]["name"] == "cluttered"
    copy_weights(build_agent(agent.spec, agent.config), "cluttered")
    for wrong, message in (
        ("cluterd", r"no checkpoint at cluterd: did you mean cluttered or "),
        ("xyzzy", "no checkpoint at xyzzy: train one"),
        ("cluttered.pt", r"no checkpoint at cluttered\.pt"),
        ("logs/cluttered", "no checkpoint at logs/cluttered"),
    ):
        with pytest.raises(FileNotFoundError, match=message):
            load_agent(wrong)


def test_what_is_there_comes_before_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    save_agent(tmp_path / "cluttered" / "checkpoint.pt")
    assert find_checkpoint("cluttered") == Path("cluttered/checkpoint.pt")
    save_agent(tmp_path / "cluttered" / "agent.pt")
    assert find_checkpoint("cluttered") == Path("cluttered/agent.pt")
    (tmp_path / "fashion").mkdir()
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at fashion/checkpoint\.pt"):
        find_checkpoint("fashion")


# The command line, and the demo


def test_the_demo_needs_no_data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: Any) -> None:
    monkeypatch.setattr("glimpse_env.tasks.image_task.load_dataset", None)
    main([DEMO], out=tmp_path / "demo.png", json=True)
    report = json.loads(capsys.readouterr().out)
    said = {Path(row["picture"]).stem: row["label"] for row in report["pictures"]}
    assert said == {"one": "1", "seven": "7", "two": "2", "zero": "0"}
    assert all(len(row["fixations"]) == 8 for row in report["pictures"])
    assert cv2.imread(str(tmp_path / "demo.png")).shape[0] > 4 * 300
    assert sum(file.stat().st_size for file in DEMO.iterdir()) < 8192


def test_a_look_in_words(tmp_path: Path, capsys: Any) -> None:
    main([DEMO / "seven.png"], agent=str(save_agent(tmp_path / "agent.pt")), out=tmp_path / "gaze.apng")
    said = capsys.readouterr().out
    assert "seven.png: " in said
    assert any(f"{name} (" in said for name in CLASSES)
    assert "looked at (30, 30) (" in said
    assert (tmp_path / "gaze.apng").stat().st_size > 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"agent": "cluterd"}, "no checkpoint at cluterd: did you mean cluttered"),
        ({"out": Path("gaze.txt")}, r"gaze\.txt: the name must end in \.png"),
        ({"pictures": [Path("nothing.png")]}, r"no picture at nothing\.png"),
    ],
    ids=str,
)
def test_errors_of_the_command_line_are_one_line(arguments: Any, message: str) -> None:
    pictures = arguments.pop("pictures", [DEMO])
    with pytest.raises(SystemExit, match=f"error: .*{message}"):
        main(pictures, **arguments)


def test_no_right_answer_is_drawn_where_none_is_known(agent: AttentionAgent) -> None:
    ((_, seen, canvas),) = looks(agent, [random_picture(1, 30, 30)])
    trace = trace_of(seen, np.zeros_like(canvas), "a picture")
    assert trace.caption == "a picture"

    def colours(picture: np.ndarray) -> set[tuple[int, ...]]:
        return set(map(tuple, picture.reshape(-1, 3).tolist()))

    for picture in (contact_sheet([trace]), animation_frames([trace])[-1]):
        assert not {TRUTH, WRONG} & colours(picture)
    known = trace._replace(target=np.array([1]))
    assert TRUTH in colours(contact_sheet([known]))
