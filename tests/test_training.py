"""Trainings on a toy (own images, so that no data set is needed): learning, resuming, files, the command line."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, evaluate, load_agent
from agents.options import format_options, parse_options
from agents.training.checkpoint import EARLIER, load_checked, save_atomically
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer, train_update
from runs import train as command_line
from runs.environments import make_env
from runs.evaluate import main as evaluate_main
from runs.evaluation import evaluate_checkpoint
from runs.log import TrainingLog
from runs.recipes import RECIPES
from runs.training import train
from tests.conftest import without_files

CPU = torch.device("cpu")
ROOT = Path(__file__).parents[1]


@pytest.fixture
def recipe(images: str) -> Recipe:
    """Find the figure on a 24×24 canvas with three glimpses of 6×6."""
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    return Recipe("toy", env, AgentConfig(width=32, where_stream=32), episodes=640, batch=64, lr=3e-3)


@pytest.fixture(autouse=True)
def validated_seldom(monkeypatch: pytest.MonkeyPatch) -> None:
    """A validation draws pictures, which takes longer than these trainings."""
    monkeypatch.setattr("agents.training.loop.VALIDATIONS", 2)


def begin(recipe: Recipe, rows: int = 64) -> Trainer:
    return Trainer.begin(recipe, make_env(recipe, "train", rows, CPU), CPU)


def weights(folder: Path) -> dict[str, torch.Tensor]:
    return load_checked(folder / "checkpoint.pt")["agent"]["weights"]


def test_an_evaluation_depends_neither_on_the_width_nor_on_the_face_of_the_environment(recipe: Recipe, images: str):
    kwargs = {"images": images, "size": 24, "patch": 6, "scales": 2, "num_glimpses": 3, "split": "test"}
    name, agent = "glimpse_env:Glimpse/Classify-v0", begin(recipe).agent
    wide = make_env(recipe, "test", 90, CPU)
    single, numpy = gym.make(name, order="sequential", **kwargs), gym.make_vec(name, 20, order="sequential", **kwargs)
    means = ("cross_entropy", "bits", "mean_return", "mean_length")
    for env, gaze in ((numpy, "learned"), (numpy, "random"), (numpy, "oracle"), (single, "learned")):
        first, second = (evaluate(agent, either, 90, gaze=gaze) for either in (wide, env))
        assert first._replace(**dict.fromkeys(means, 0.0)) == second._replace(**dict.fromkeys(means, 0.0))
        for mean in means:
            assert getattr(first, mean) == pytest.approx(getattr(second, mean)), mean
        assert first.episodes == 90
        assert first.error == pytest.approx(first.error_by_step[-1], abs=1e-3)
        assert first.mean_return == pytest.approx(1 - first.error / 100)
    with pytest.raises(ValueError, match="no scripted gaze 'scan'; it has random, centre, grid, oracle"):
        evaluate(agent, wide, 9, gaze="scan")


def test_the_agent_learns_where_to_look(recipe: Recipe, tmp_path: Path):
    """Chance is 67 % wrong; shown random places, the same weights are wrong far more often than where they look."""
    recipe = replace(recipe, env=replace(recipe.env, num_glimpses=4), episodes=64 * 400)
    train(recipe, tmp_path, device="cpu", quiet=True)
    with pytest.raises(ValueError, match="no memory that could have options"):
        evaluate_checkpoint(tmp_path / "agent.pt", memory_options=("slots=2",), device="cpu")
    report = evaluate_checkpoint(tmp_path / "agent.pt", episodes=1000, device="cpu")
    assert report["error"] < 10
    assert report["error_random_gaze"] > 1.4 * report["error"]


def test_the_papers_own_form_learns(recipe: Recipe):
    """The environment's reward, a linear head, absolute locations: on a canvas that a glimpse nearly covers."""
    paper = RECIPES["paper-cluttered"]
    env, agent = replace(recipe.env, size=12), replace(paper.agent, width=32)
    trainer = begin(replace(paper, env=env, agent=agent, episodes=40 * 500, batch=40), 40)
    for _ in range(500):
        train_update(trainer)
    result = evaluate(trainer.agent, make_env(trainer.recipe, "test", 90, CPU), 90)
    assert result.error is not None
    assert result.error < 15


def test_a_network_that_sees_the_whole_image_is_trained_by_the_same_code(recipe: Recipe):
    env = replace(recipe.env, patch=24, scales=1, num_glimpses=1)
    recipe = replace(recipe, env=env, agent=RECIPES["paper-cnn-cluttered"].agent, episodes=64 * 300)
    trainer = begin(recipe)
    for _ in range(300):
        train_update(trainer)
    result = evaluate(trainer.agent, make_env(recipe, "test", 90, CPU), 90)
    assert result.error is not None
    assert result.error < 5
    assert not trainer.agent.policy_parameters()
    for changes in ({"patch": 22}, {"size": 26}):
        with pytest.raises(ValueError, match="whole-image network sees"):
            begin(replace(recipe, env=replace(env, **changes)))


@pytest.mark.parametrize("name", [name for name in RECIPES if name != "join"])
def test_every_recipe_trains(
    name: str,
    images: str,
    folders: dict[str, str],
    noise_digits: None,
    monkeypatch: pytest.MonkeyPatch,
):
    """Two updates of small batches on toy data, of which the second learns from what the first changed."""
    monkeypatch.setattr("agents.story_map.agent.SURVEYED", 8)
    recipe = replace(RECIPES[name], batch=4, episodes=8, init_from=None)
    if recipe.env.id.startswith("ap_gym:"):
        pytest.importorskip("ap_gym", reason="ap_gym's environments are tested where it is installed")
    if recipe.env.id.startswith("Babi"):
        own = tuple(argument for argument in recipe.env.arguments if argument.partition("=")[0] not in ("task", "size"))
        recipe = replace(recipe, env=replace(recipe.env, arguments=(*own, "task=1")))
    recipe = replace(recipe, env=replace(recipe.env, arguments=without_files(recipe.env.arguments)))
    if recipe.env.id in folders:
        own = (*recipe.env.arguments, f"data={folders[recipe.env.id]}")
        recipe = replace(recipe, env=replace(recipe.env, arguments=own))
    if recipe.env.id == "Classify-v0":
        recipe = replace(recipe, env=replace(recipe.env, images=images, size=64))
    trainer = begin(recipe, 4)
    before = {key: value.detach().clone() for key, value in trainer.agent.named_parameters()}
    for _ in range(2):
        scalars = train_update(trainer)
    trainer.env.env.close()
    assert all(torch.isfinite(value) for value in scalars.values())
    policy = {id(parameter) for parameter in trainer.agent.policy_parameters()}
    moved = {id(value): not torch.equal(value, before[key]) for key, value in trainer.agent.named_parameters()}
    assert all(torch.isfinite(value).all() for value in trainer.agent.parameters())
    assert any(moved[number] for number in moved.keys() - policy)
    assert any(moved[number] for number in policy) == (bool(policy) and recipe.gaze == "learned")


@pytest.mark.parametrize(
    ("memory", "optimizer"),
    [({}, "adam"), ({}, "sgd"), ({"memory": "episodic", "memory_options": ("slots=3", "dropout=0.2")}, "muon")],
)
def test_resuming_goes_on_exactly(
    recipe: Recipe, memory: dict[str, Any], optimizer: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    recipe = replace(recipe, agent=replace(recipe.agent, **memory), optimizer=optimizer)
    train(recipe, tmp_path / "whole", device="cpu", quiet=True)
    asked = iter([False] * 3 + [True] * 10)
    with monkeypatch.context() as patch:
        patch.setattr("agents.training.loop.interruption", interrupting(lambda: next(asked)))
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "parts", device="cpu", quiet=True)
    assert load_checked(tmp_path / "parts" / "checkpoint.pt")["update"] == 4
    metrics = train(recipe, tmp_path / "parts", device="cpu", resume=True, quiet=True)
    assert metrics["episodes"] == 640
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "parts")[name]), name
    saved = [load_checked(tmp_path / name / "agent.pt") for name in ("whole", "parts")]
    assert saved[0]["training"]["validation_error"] == saved[1]["training"]["validation_error"]


def test_without_progress_a_training_ends_and_a_resumed_one_where_it_would_have(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """Validated after each update; the same error again is no progress."""
    errors = [0, 60, 60, 50, 55, 50, 50, 40, 30, 20, 10]
    monkeypatch.setattr("agents.training.loop.VALIDATIONS", 10)
    monkeypatch.setattr("runs.log.Validation", lambda trainer, *_: lambda step: (errors[trainer.update], "as planned"))
    recipe = replace(recipe, patience=3)
    metrics = train(recipe, tmp_path / "whole", device="cpu")
    assert metrics.pop("seconds") > 0
    assert metrics == {"validation_error": 50, "episodes": 6 * 64, "stopped_early": True}
    assert json.loads((tmp_path / "whole" / "metrics.json").read_text())["stopped_early"] is True
    assert "no progress in 3 validations: the training ends" in capsys.readouterr().out
    asked = iter([False] * 3 + [True])
    with monkeypatch.context() as patch:
        patch.setattr("agents.training.loop.interruption", interrupting(lambda: next(asked)))
        with pytest.raises(KeyboardInterrupt):
            train(recipe, tmp_path / "parts", device="cpu", quiet=True)
    for _ in range(2):  # once it has ended, it ends at once
        again = train(recipe, tmp_path / "parts", device="cpu", resume=True, quiet=True)
        assert again.pop("seconds") > 0
        assert again == metrics
        for name, value in weights(tmp_path / "whole").items():
            assert torch.equal(value, weights(tmp_path / "parts")[name]), name
    patient = train(replace(recipe, patience=4), tmp_path / "patient", device="cpu", quiet=True)
    assert (patient["episodes"], patient["stopped_early"]) == (640, False)


def test_two_processes_without_progress_end_together(recipe: Recipe, tmp_path: Path):
    """Weights that hardly move make the same errors again; what only the first process knows ends both."""
    more = ("--episodes", "320", "--processes", "2", "--lr", "1e-12", "--patience", "1", "--folder", "run")
    done = subprocess.run(
        [sys.executable, "-m", "runs.train", *options(recipe, *more)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.returncode == 0, done.stderr
    assert "ended early, after 32 episodes" in done.stdout
    assert json.loads((tmp_path / "run" / "metrics.json").read_text())["stopped_early"]
    assert load_checked(tmp_path / "run" / "checkpoint.pt")["update"] == 2


def interrupting(asked: Callable[[], bool]) -> Any:
    @contextmanager
    def manager() -> Iterator[Callable[[], bool]]:
        yield asked

    return manager


def test_a_training_begins_with_the_weights_of_another(recipe: Recipe, tmp_path: Path):
    train(recipe, tmp_path / "first", device="cpu", quiet=True)
    with pytest.raises(ValueError, match="weights alone, which cannot be resumed"):
        begin(recipe).restore(load_checked(tmp_path / "first" / "agent.pt"))
    recipe = replace(recipe, init_from=str(tmp_path / "first" / "agent.pt"))
    assert recipe.init_from
    trainer = begin(recipe)
    for name, value in load_agent(recipe.init_from).state_dict().items():
        assert torch.equal(value, trainer.agent.state_dict()[name]), name
    with pytest.raises(ValueError, match="begin with one made alike"):
        begin(replace(recipe, agent=replace(recipe.agent, width=24)))
    train(recipe, tmp_path / "second", device="cpu", quiet=True)
    Path(recipe.init_from).unlink()
    train(recipe, tmp_path / "second", device="cpu", quiet=True, resume=True)
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*--init-from None"):
        begin(recipe)


def test_what_does_not_go_together_is_refused(recipe: Recipe):
    for changes, message in (
        ({"agent": AgentConfig(width=8), "optimizer": "muon"}, "hidden matrices"),
        ({"gaze": "scan"}, "no scripted gaze 'scan'"),
        ({"answer_signal": "reward"}, 'need "reinforce"'),
        ({"std": 0.0}, "--std must be above 0"),
        ({"std_end": -0.1}, "--std-end must be at least 0"),
        ({"lr": float("nan")}, "--lr must be above 0, got nan"),
        ({"max_grad_norm": float("inf")}, "--max-grad-norm must be above 0, got inf"),
        ({"patience": -1}, "--patience must be at least 0, got -1"),
        ({"entropy_weight": -0.1}, "--entropy-weight must be at least 0, got -0.1"),
        ({"unfound_weight": 1.5}, "--unfound-weight is a share from 0 to 1, got 1.5"),
        ({"batch": 0}, "--batch must be at least 1, got 0"),
        ({"episodes": 0}, "--episodes must be at least 1, got 0"),
        ({"episodes": 63}, "--episodes 63 are less than one --batch of 64"),
        ({"seed": -1}, "--seed must be at least 0, got -1"),
        ({"oversample": 2, "bucket_batches": 2}, "--oversample"),
    ):
        with pytest.raises(ValueError, match=message):
            begin(replace(recipe, **changes))  # type: ignore[arg-type]


def options(recipe: Recipe, *more: str) -> list[str]:
    """What the command line takes for the toy."""
    env = ["--images", str(recipe.env.images), "--size", "24", "--patch", "6", "--scales", "2", "--num-glimpses", "3"]
    return ["classify", "--quiet", "--device", "cpu", "--width", "32", "--batch", "16", *env, *more]


def test_two_processes_stop_at_ctrl_c_where_one_process_would_be(recipe: Recipe, tmp_path: Path):
    more = ("--episodes", "1920", "--optimizer", "sgd", "--processes", "2", "--folder", "parts")
    process = subprocess.Popen(
        [sys.executable, "-m", "runs.train", *options(recipe, *more)],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONWARNINGS": "ignore"},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    while not (tmp_path / "parts" / "agent.pt").exists():  # written at the first validation
        assert process.poll() is None, process.communicate()
        time.sleep(0.02)
    process.send_signal(signal.SIGINT)
    printed, errors = process.communicate(timeout=300)
    assert process.returncode == 130, errors
    assert "runs.train classify --resume parts" in printed
    saved = load_checked(tmp_path / "parts" / "checkpoint.pt")
    assert saved["processes"] == 2
    assert 0 < saved["update"] < 120
    trainer = begin(Recipe.from_dict(saved["recipe"]), 16)
    for _ in range(saved["update"]):
        train_update(trainer)
    torch.testing.assert_close(dict(trainer.agent.state_dict()), saved["agent"]["weights"], rtol=0, atol=1e-5)


def test_terminated_and_resumed_by_the_command_line(
    recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
):
    """SIGTERM, and `--resume` with nothing else; the weights are those of an uninterrupted run."""
    monkeypatch.setattr("runs.train.report", lambda folder, metrics, **_: "report")

    def run(*arguments: str) -> int:
        monkeypatch.setattr(sys, "argv", ["train", *arguments])
        with pytest.raises(SystemExit) as ended:
            command_line.main()
        return ended.value.code

    def updated(log: TrainingLog, scalars: Any) -> None:
        if log.trainer.update == 3:
            os.kill(os.getpid(), signal.SIGTERM)

    toy = options(recipe, "--episodes", "160", "--processes", "1")
    assert run(*toy, "--folder", str(tmp_path / "whole")) == 0
    with monkeypatch.context() as patch:
        patch.setattr(TrainingLog, "update", updated)
        assert run(*toy, "--folder", str(tmp_path / "parts")) == 130
    assert load_checked(tmp_path / "parts" / "checkpoint.pt")["update"] == 3
    assert f"runs.train classify --resume {tmp_path / 'parts'}" in capsys.readouterr().out
    resumed = ("classify", "--quiet", "--device", "cpu", "--resume", str(tmp_path / "parts"))
    monkeypatch.setattr(sys, "argv", ["train", *resumed, "--batch", "8"])
    with pytest.raises(SystemExit, match="give no other field beside it"):
        command_line.main()
    weights_alone = run(*resumed[:-1], str(tmp_path / "whole" / "agent.pt"))
    assert "agent.pt cannot be resumed: give the folder of a training" in str(weights_alone)
    assert run(*resumed[:-1], str(tmp_path / "parts" / "checkpoint.pt")) == 0
    for name, value in weights(tmp_path / "whole").items():
        assert torch.equal(value, weights(tmp_path / "parts")[name]), name
    saved = load_checked(tmp_path / "parts" / "checkpoint.pt")
    save_atomically({**saved, "processes": 2}, tmp_path / "parts" / "checkpoint.pt")
    launched: list[Any] = []
    monkeypatch.setattr("runs.train.launch", lambda *how: launched.extend(how) or 0)
    assert run(*resumed) == 0
    assert launched == [2, list(resumed)]  # as many processes as it began with


def test_a_checkpoint_of_another_recipe_is_refused_and_kept(recipe: Recipe, tmp_path: Path):
    train(replace(recipe, episodes=64), tmp_path, device="cpu", quiet=True)
    before = (tmp_path / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match="another recipe"):
        train(recipe, tmp_path, device="cpu", resume=True, quiet=True)
    assert (tmp_path / "checkpoint.pt").read_bytes() == before


def test_broken_and_earlier_checkpoints_say_what_to_do(tmp_path: Path, recipe: Recipe):
    with pytest.raises(FileNotFoundError, match=r"runs\.train"):
        load_agent(tmp_path / "absent.pt")
    damaged = tmp_path / "checkpoint.pt"
    damaged.write_bytes(b"not a checkpoint")
    with pytest.raises(ValueError, match="damaged"):
        load_agent(damaged)
    torch.save({"weights": 1}, damaged)
    with pytest.raises(ValueError, match="not a checkpoint of this project"):
        load_agent(damaged)
    save_atomically({"agent": {"kind": "unknown"}}, damaged)
    with pytest.raises(ValueError, match="another version"):
        load_agent(damaged)
    torch.save({"format": EARLIER, "recipe": {}, "agent": {}}, damaged)
    for use in (
        lambda: load_agent(damaged),
        lambda: evaluate_checkpoint(damaged, device="cpu"),
        lambda: begin(replace(recipe, init_from=str(damaged))),
        lambda: train(recipe, tmp_path, device="cpu", resume=True, quiet=True),
    ):
        with pytest.raises(ValueError, match=r"written by an earlier version of this project.*train one anew"):
            use()


def test_an_interrupted_write_leaves_the_old_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    def full(*_: Path) -> None:
        raise OSError("no space left on device")

    path = tmp_path / "a.pt"
    save_atomically({"value": 1}, path)
    with pytest.raises(TypeError, match="cannot pickle"):
        save_atomically({"value": threading.Lock()}, path)
    monkeypatch.setattr("os.replace", full)
    with pytest.raises(OSError, match="no space left"):
        save_atomically({"value": 2}, path)
    assert load_checked(path)["value"] == 1
    assert [p.name for p in tmp_path.iterdir()] == ["a.pt"]


def test_the_deviation_falls_evenly():
    recipe = Recipe(episodes=400, batch=100, std=0.5, std_end=0.1)
    assert [recipe.deviation(update) for update in range(4)] == pytest.approx([0.5, 0.4, 0.3, 0.2])
    assert Recipe(std=0.5).deviation(7) == 0.5


def test_recipes_survive_a_checkpoint():
    for recipe in RECIPES.values():
        assert Recipe.from_dict(json.loads(json.dumps(recipe.to_dict()))) == recipe
    with pytest.raises(ValueError, match="another version"):
        Recipe.from_dict({**RECIPES["cluttered"].to_dict(), "unheard_of": 1})


def test_evaluating_ones_own_canvases(recipe: Recipe, images: str, tmp_path: Path):
    train(recipe, tmp_path, device="cpu", quiet=True)
    report = evaluate_checkpoint(tmp_path / "agent.pt", images=Path(images), device="cpu")
    assert report["episodes"] == 9  # those that it was not trained on
    assert report["glimpses"] == 3
    np.savez(tmp_path / "rgb.npz", images=np.zeros((2, 8, 8, 3), np.uint8), labels=np.array([0, 1]))
    with pytest.raises(ValueError, match="channels"):
        evaluate_checkpoint(tmp_path / "agent.pt", images=tmp_path / "rgb.npz", device="cpu")


def test_evaluate_prints_one_json_object(recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]):
    train(recipe, tmp_path, device="cpu", quiet=True)
    capsys.readouterr()
    evaluate_main(tmp_path / "agent.pt", episodes=50, device="cpu", json=True)
    report = json.loads(capsys.readouterr().out)
    assert set(report) == {
        "recipe", "env_id", "episodes", "gaze", "glimpses", "error", "error_random_gaze", "error_by_glimpse", "seconds",
        "mean_return", "return_random_gaze", "steps", "cross_entropy", "data", "classes",
        "split", "confusion", "error_by_class", "error_interval", "stopping", "mean_glimpses", "multiply_adds",
    }  # fmt: skip
    assert len(report["error_by_glimpse"]) == 3
    for none in (0, -1):
        with pytest.raises(SystemExit, match="error: episodes must be at least 1"):
            evaluate_main(tmp_path, episodes=none)
    with pytest.raises(SystemExit, match="error: no checkpoint"):
        evaluate_main(tmp_path / "none.pt")


def test_options_as_text_and_back():
    texts = ("slots=64", "rate=0.5", "gate=False", "time=age")
    options = parse_options(texts)
    assert options == {"slots": 64, "rate": 0.5, "gate": False, "time": "age"}
    assert format_options(options) == texts
    for wrong in ("slots", "=3", "slots="):
        with pytest.raises(ValueError, match="name=value"):
            parse_options([wrong])
    with pytest.raises(ValueError, match="twice"):
        parse_options(["a=1", "a=2"])


def test_the_oracle_leads_fewer_and_fewer_rows(images: str):
    recipe = Recipe(led=0.5, led_end=0.0, episodes=400, batch=4)
    assert [recipe.led_rows(update, 20) for update in (0, 25, 50, 75, 99)] == [10, 8, 5, 2, 0]
    env = EnvConfig("Classify-v0", images=images, size=24, patch=6, scales=2, num_glimpses=3)
    recipe = Recipe("led", env, AgentConfig(width=16), led=1.0, batch=8, episodes=16)
    assert "train/imitation_loss" in train_update(begin(recipe, 8))
    with pytest.raises(ValueError, match="a share from 0 to 1"):
        replace(recipe, led=1.5).check()
    with pytest.raises(ValueError, match="leads a gaze that is learned"):
        begin(replace(recipe, gaze="random"))
