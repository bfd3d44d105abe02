"""What an agent's classes are called goes with its weights: in other folders, in pictures, and when a training goes on.

An agent is trained on three figures in folders of their names. A class more, less or renamed changes the numbers that a
folder gives to the others.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import torch

from agents import AgentConfig
from agents.names import names_of
from agents.training.checkpoint import load_checked, save_atomically
from agents.training.recipe import EnvConfig, Recipe
from agents.training.trainer import Trainer
from runs.environments import make_env
from runs.evaluation import evaluate_checkpoint, lines_of
from runs.training import train
from runs.watch import watch

CPU = torch.device("cpu")


def write_figures(folder: Path) -> Path:
    """Thirty pictures each of a bar, a column and a ring, in folders of these names."""
    shapes = {name: np.zeros((8, 8), np.uint8) for name in ("bar", "column", "ring")}
    shapes["bar"][3:5], shapes["column"][:, 3:5], shapes["ring"][1:7, 1:7] = 255, 255, 200
    shapes["ring"][3:5, 3:5] = 0
    for name, figure in shapes.items():
        (folder / name).mkdir(parents=True)
        for number in range(30):
            assert cv2.imwrite(str(folder / name / f"{number:02}.png"), figure)
    return folder


@pytest.fixture(scope="module")
def trained(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run that was trained on the three figures, at least to know them apart."""
    place = tmp_path_factory.mktemp("trained")
    env = EnvConfig("Classify-v0", images=str(write_figures(place / "figures")), size=8, patch=8, num_glimpses=2)
    recipe = Recipe("figures", env, AgentConfig(width=32, where_stream=32), episodes=4_000, batch=50, lr=3e-3)
    train(recipe, place / "run", device="cpu", quiet=True)
    assert evaluate_checkpoint(place / "run", episodes=50, device="cpu")["error"] == 0
    return place


def test_the_weights_know_the_names(trained: Path) -> None:
    saved = load_checked(trained / "run" / "agent.pt")
    assert saved["names"] == {"classes": ["bar", "column", "ring"]}
    assert saved["data"]["source"] == str(trained / "figures")
    report = evaluate_checkpoint(trained / "run" / "agent.pt", episodes=10, device="cpu")
    assert report["classes"] == ["bar", "column", "ring"]
    assert f"  data: {trained / 'figures'}" in lines_of(report)
    assert "  classes: bar, column, ring" in lines_of(report)


def without_the_first(folder: Path) -> None:
    shutil.rmtree(folder / "bar")


def moved_to_the_end(folder: Path) -> None:
    np.savez(
        folder.parent / "figures.npz",
        images=np.stack([cv2.imread(str(folder / name / "00.png"), 0) for name in ("ring", "column", "bar")]),
        labels=np.arange(3),
        names=np.array(["ring", "column", "bar"]),
    )


@pytest.mark.parametrize(("change", "name"), [(without_the_first, "figures"), (moved_to_the_end, "figures.npz")])
def test_classes_are_found_by_their_names(
    trained: Path, tmp_path: Path, change: Callable[[Path], None], name: str
) -> None:
    change(write_figures(tmp_path / "figures"))
    report = evaluate_checkpoint(trained / "run", images=tmp_path / name, device="cpu")
    assert report["error"] == 0
    assert report["classes"] == ["bar", "column", "ring"]


def test_a_class_of_another_name_is_refused(trained: Path, tmp_path: Path) -> None:
    folder = write_figures(tmp_path / "figures")
    (folder / "bar").rename(folder / "zebra")
    for use in (
        lambda: evaluate_checkpoint(trained / "run", images=folder, device="cpu"),
        lambda: watch(trained / "run", tmp_path / "gaze.png", images=folder, split="all", device="cpu"),
    ):
        with pytest.raises(ValueError, match=r"images of the classes \['zebra'\], which are not among"):
            use()


def test_pictures_have_the_names(trained: Path, tmp_path: Path) -> None:
    without_the_first(write_figures(tmp_path / "figures"))
    traces = watch(trained / "run", tmp_path / "gaze.png", images=tmp_path / "figures", device="cpu", split="all")
    assert [trace.names[trace.label] for trace in traces] == ["column"] * 4
    assert all(trace.correct for trace in traces)


@pytest.mark.parametrize("change", ["renamed", "another"])
def test_a_training_does_not_go_on_with_other_classes_or_other_images(
    trained: Path, tmp_path: Path, change: str
) -> None:
    folder, run = write_figures(tmp_path / "figures"), tmp_path / "run"
    recipe = Recipe.from_dict(load_checked(trained / "run" / "checkpoint.pt")["recipe"])
    recipe = replace(recipe, episodes=200, env=replace(recipe.env, images=str(folder)))
    train(recipe, run, device="cpu", quiet=True)
    saved = load_checked(run / "checkpoint.pt")
    save_atomically({**saved, "update": 2}, run / "checkpoint.pt")
    if change == "renamed":
        (folder / "bar").rename(folder / "zebra")
    else:
        assert cv2.imwrite(str(folder / "bar" / "00.png"), np.full((8, 8), 77, np.uint8))
    message = r"classes \['zebra'\]" if change == "renamed" else r"the data have changed since the training began"
    before = (run / "checkpoint.pt").read_bytes()
    with pytest.raises(ValueError, match=message):
        train(recipe, run, device="cpu", resume=True, quiet=True)
    assert (run / "checkpoint.pt").read_bytes() == before


def test_a_training_goes_on_where_a_class_has_lost_its_images_only_if_they_are_back(
    trained: Path, tmp_path: Path
) -> None:
    folder = write_figures(tmp_path / "figures")
    recipe = Recipe.from_dict(load_checked(trained / "run" / "checkpoint.pt")["recipe"])
    recipe = replace(recipe, episodes=200, env=replace(recipe.env, images=str(folder)))
    train(recipe, tmp_path / "run", device="cpu", quiet=True)
    shutil.move(folder / "bar", tmp_path / "bar")
    with pytest.raises(ValueError, match="the data have changed"):
        train(recipe, tmp_path / "run", device="cpu", resume=True, quiet=True)
    shutil.move(tmp_path / "bar", folder / "bar")
    train(recipe, tmp_path / "run", device="cpu", resume=True, quiet=True)


def test_weights_of_named_datasets_from_before_names_were_kept_know_theirs(trained: Path, tmp_path: Path) -> None:
    saved: dict[str, Any] = load_checked(trained / "run" / "agent.pt")
    del saved["names"]
    save_atomically(saved, tmp_path / "own.pt")
    with pytest.raises(ValueError, match="do not say what their classes are called: train them anew"):
        evaluate_checkpoint(tmp_path / "own.pt", images=trained / "figures", device="cpu")
    saved["recipe"]["env"] |= {"images": None, "dataset": "mnist"}
    save_atomically(saved, tmp_path / "named.pt")
    with pytest.raises(ValueError, match=r"classes \['bar', 'column', 'ring'\], which are not among \['0', '1'"):
        evaluate_checkpoint(tmp_path / "named.pt", images=trained / "figures", device="cpu")


def test_names_are_kept_of_environments_that_mean_the_same_by_them() -> None:
    assert names_of({"names": {"classes": ("a", "b")}}) == {"classes": ["a", "b"]}
    for metadata in ({}, {"names": None}, {"names": ("left", "right")}):  # of somebody else's environment
        assert names_of(metadata) == {}


def test_weights_to_begin_with_are_of_the_same_classes(trained: Path, tmp_path: Path) -> None:
    folder = write_figures(tmp_path / "figures")
    recipe = Recipe.from_dict(load_checked(trained / "run" / "agent.pt")["recipe"])
    env = replace(recipe.env, images=str(folder))
    recipe = replace(recipe, env=env, init_from=str(trained / "run" / "agent.pt"))
    Trainer.begin(recipe, make_env(recipe, "train", 4, CPU), CPU)
    (folder / "ring").rename(folder / "hoop")
    with pytest.raises(ValueError, match=r"trained with other classes .*\(lacking now: ring; new: hoop\)"):
        Trainer.begin(recipe, make_env(recipe, "train", 4, CPU), CPU)
