"""Omniglot: its archives, what an episode shows, and what is varied in training."""

from __future__ import annotations

import re
import shutil
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from agents import AgentConfig
from agents.encoders.blocks import BlockEncoder
from agents.spec import PartSpec
from glimpse_env.affine import MOVES, moved, moves, padded
from glimpse_env.backend import get_backend
from glimpse_env.omniglot import load_omniglot
from glimpse_env.tasks import make_task

N = 200
SEEDS, EPISODES = np.full(N, 3), np.arange(N)


def make(folder: str, **kwargs: Any) -> Any:
    return make_task("Omniglot-v0", get_backend("numpy"), **{"data": folder, "ways": 5, "patch": 6, **kwargs})


def find(task: Any, pictures: np.ndarray) -> np.ndarray:
    """The character and the drawer of pictures, (…, 2) int64."""
    return np.stack([pictures // task.drawers, pictures % task.drawers], -1)


# ---- archives


def test_the_splits_share_no_alphabet(omniglot_folder: str) -> None:
    train, held_out = (load_omniglot(split, "small", omniglot_folder) for split in ("train", "validation"))
    assert (train.names, held_out.names) == (("Hebrew", "Korean", "Latin"), ("Early_Aramaic", "Greek"))
    assert train.images.shape == (44, 4, 12, 12)
    assert held_out.images.shape == (40, 4, 12, 12)
    assert np.bincount(train.alphabet).tolist() == [4, 20, 20]
    assert load_omniglot("train", "small2", omniglot_folder).names == ("Latin",)


def test_strokes_are_bright_and_nobody_may_write_to_them(omniglot_folder: str) -> None:
    images = load_omniglot("train", "small", omniglot_folder).images
    assert np.unique(images).tolist() == [0, 255]
    assert (images == 255).mean() < 0.3
    assert not images.flags.writeable


def test_a_run_pairs_pictures_as_its_list_says(omniglot_folder: str) -> None:
    runs = load_omniglot("test", data=omniglot_folder)
    assert (runs.images.shape, runs.names) == ((40, 2, 12, 12), ("run01", "run02"))
    learned, asked = runs.images[:20, 0].reshape(20, -1) / 255, runs.images[:20, 1].reshape(20, -1) / 255
    overlap = learned @ asked.T / np.sqrt(learned.sum(1)[:, None] * asked.sum(1))
    own = np.diag(overlap).mean()
    assert own > 1.5 * overlap[~np.eye(20, dtype=bool)].mean()


def test_what_is_missing_is_said_with_the_places(omniglot_folder: str, tmp_path: Path, monkeypatch: Any) -> None:
    with pytest.raises(FileNotFoundError, match=r"images_background\.zip of Omniglot is in none of these folders"):
        make(omniglot_folder, background="full")
    with pytest.raises(FileNotFoundError, match=re.escape("brendenlake/omniglot on GitHub")):
        make(str(tmp_path))
    (tmp_path / "omniglot").mkdir()
    for path in Path(omniglot_folder).iterdir():
        shutil.copy(path, tmp_path / "omniglot")
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path))
    assert load_omniglot("validation").source.endswith("omniglot")


def test_damaged_archives_are_named(omniglot_folder: str, tmp_path: Path) -> None:
    whole = (Path(omniglot_folder) / "all_runs.zip").read_bytes()
    (tmp_path / "all_runs.zip").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ValueError, match=r"all_runs\.zip in .*: damaged, or not as released"):
        load_omniglot("test", data=str(tmp_path))
    with zipfile.ZipFile(tmp_path / "images_background_small1.zip", "w") as archive:
        archive.writestr("x/Latin/character01/0001_01.png", b"no picture")
    with pytest.raises(ValueError, match=r"small1\.zip in .*cannot be decoded"):
        load_omniglot("train", "small1", str(tmp_path))
    with zipfile.ZipFile(tmp_path / "images_background_small2.zip", "w") as archive:
        archive.writestr("README", b"empty")
    with pytest.raises(ValueError, match="the same number of drawings"):
        load_omniglot("train", "small2", str(tmp_path))


# ---- an episode


def test_the_target_is_the_character_that_is_asked(omniglot_folder: str) -> None:
    task = make(omniglot_folder)
    state = task.begin(SEEDS, EPISODES)
    shown = find(task, state["picture"])
    learned, asked, target = shown[:, :5], shown[:, 5], state["target"][:, 0]
    np.testing.assert_array_equal(learned[EPISODES, target, 0], asked[:, 0])
    assert (np.sort(learned[..., 0], 1)[:, 1:] > np.sort(learned[..., 0], 1)[:, :-1]).all()  # five characters
    assert (learned[..., 1] == learned[:, :1, 1]).all()  # by one person
    assert (learned[:, 0, 1] != asked[:, 1]).all()  # and the question by another
    alphabet = task.alphabet[shown[..., 0]]
    assert (alphabet == alphabet[:, :1]).all()
    np.testing.assert_array_equal(task.groups(SEEDS, EPISODES), alphabet[:, 0])


def test_everything_occurs(omniglot_folder: str) -> None:
    """Labels, characters at each label, and people are drawn alike often."""
    task = make(omniglot_folder)
    state = task.begin(np.full(4000, 1), np.arange(4000))
    shown = find(task, state["picture"])
    assert np.bincount(state["target"][:, 0]).min() > 700
    assert np.bincount(shown[:, 5, 0], minlength=40).min() > 60
    assert np.bincount(shown[:, 2, 0], minlength=40).min() > 60
    assert np.bincount(shown[:, 0, 1], minlength=4).min() > 850


def test_in_order_each_picture_is_asked_once(omniglot_folder: str) -> None:
    task = make(omniglot_folder, split="test", ways=20, order="sequential")
    assert task.num_episodes == 40
    state = task.begin(np.full(40, 9), np.arange(40))
    assert sorted(state["picture"][:, 20].tolist()) == list(range(1, 80, 2))
    assert (state["picture"][:, :20] % 2 == 0).all()
    assert (np.sort(state["picture"][:20, :20], 1) == np.arange(0, 40, 2)).all()
    assert len(np.unique(state["picture"][:, :20], axis=0)) == 40  # in an order of its own


def test_labels_are_shown_with_what_is_learned(omniglot_folder: str) -> None:
    task = make(omniglot_folder, support_glimpses=2, query_glimpses=3, queries=2)
    state, shown = task.begin(SEEDS, EPISODES), []
    assert task.horizon == 5 * 2 + 2 * 3
    for step in range(task.horizon):
        seen, (target, scored) = task.observe(state), task.due(state)
        shown.append((seen["label"][0], seen["location"][0], bool(scored[0])))
        np.testing.assert_array_equal(target, state["target"][:, 0 if step < 13 else 1])
        outcome = task.act(state, {"location": np.full((N, 2), 0.5, np.float32), "answer": target})
        state = outcome.state
        np.testing.assert_allclose(outcome.reward, 0.5 * scored)
    labels, places, scored = map(np.array, zip(*shown, strict=True))
    np.testing.assert_array_equal(labels, np.eye(7, 5)[[0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 5, 5, 5, 5]])
    np.testing.assert_array_equal(places[:, 0] == 0, [True, False] * 5 + [True, False, False] * 2)
    assert np.flatnonzero(scored).tolist() == [12, 15]
    assert outcome.terminated.all()
    assert outcome.info["correct"].all()


def test_each_picture_is_seen_in_its_turn(omniglot_folder: str) -> None:
    """A patch as large as a picture shows it whole."""
    task = make(omniglot_folder, patch=12, scales=1, query_glimpses=1)
    state = task.begin(SEEDS, EPISODES)
    for number in range(6):
        expected = task.pictures[state["picture"][:, number], 1:-1, 1:-1]
        np.testing.assert_array_equal(task.observe(state)["glimpse"][:, 0, 0] * 255, expected)
        state = task.act(state, {"location": np.zeros((N, 2), np.float32), "answer": np.zeros(N, np.int64)}).state


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"ways": 1}, "ways must be an integer of at least 2"),
        ({"ways": 21}, "ways=21: no alphabet of .* has so many characters"),
        ({"queries": 0}, "queries must be"),
        ({"query_glimpses": 0}, "query_glimpses must be"),
        ({"affine": 3}, "affine must be from 0"),
        ({"background": "large"}, "background must be one of small, small1, small2, full"),
        ({"split": "all"}, "unknown split 'all'"),
        ({"order": "any"}, "order must be"),
        ({"saccades": "any"}, "saccades must be"),
    ],
    ids=str,
)
def test_wrong_arguments_are_refused(omniglot_folder: str, change: dict[str, Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        make(omniglot_folder, **change)


# ---- variety


def test_a_small_alphabet_is_left_out_and_that_is_said(omniglot_folder: str, saying: Any) -> None:
    with saying(r"Omniglot: left out, with fewer than 5 characters: Hebrew"):
        task = make(omniglot_folder)
    assert task.num_episodes == 40 * 4
    assert make(omniglot_folder, ways=4).num_episodes == 44 * 4


def test_a_turned_alphabet_is_another_and_fills_a_small_one_up(omniglot_folder: str) -> None:
    task = make(omniglot_folder, rotate=True)
    assert task.num_episodes == 44 * 4
    state = task.begin(SEEDS, EPISODES)
    turn, character = state["move"] // MOVES, state["picture"] // task.drawers
    large = task.size[character[:, 0]] == 20
    assert (turn[large] == turn[large, :1]).all()
    assert np.unique(turn[large, 0]).tolist() == [0, 1, 2, 3]
    small = np.stack([character, turn], -1)[~large, :5]
    assert len(small)
    assert all(len(np.unique(row, axis=0)) == 5 for row in small)
    where = np.arange(len(turn)), state["target"][:, 0]
    np.testing.assert_array_equal(turn[:, 5], turn[where])


def test_orientations_are_turns_by_90_degrees() -> None:
    picture = np.random.default_rng(0).integers(0, 256, (1, 9, 9), dtype=np.uint8)
    table, first = moves(9, 0.0), np.zeros(1, np.int64)
    turned = [moved(padded(picture), first, table[o * MOVES : o * MOVES + 1])[0] for o in range(4)]
    for quarter, result in enumerate(turned):
        np.testing.assert_array_equal(result, np.rot90(picture[0], quarter))


@pytest.mark.parametrize("strength", [0.0, 1.0, 2.0])
def test_moves_are_the_same_on_every_backend(strength: float) -> None:
    rng = np.random.default_rng(1)
    pictures = padded(rng.integers(1, 256, (20, 15, 15), dtype=np.uint8))
    index, table = rng.integers(0, 20, 4 * MOVES), moves(15, strength)
    expected = moved(pictures, index, table)
    np.testing.assert_array_equal(moved(*map(torch.from_numpy, (pictures, index, table))), expected)
    compiled = pytest.importorskip("glimpse_env.compiled_image_ops", reason="Numba is not installed")
    np.testing.assert_array_equal(compiled.moved(pictures, index, table), expected)
    still = (expected == pictures[index, 1:-1, 1:-1])[:MOVES].all((1, 2)).mean()
    assert still == 1 if strength == 0 else still < 0.1


def test_jitter_is_small_and_no_two_pictures_share_it(omniglot_folder: str) -> None:
    plain, varied = (make(omniglot_folder, affine=strength) for strength in (0, 1))
    for number in (0, 5):
        before, after = (
            task.drawn(state["picture"][:, number], state["move"][:, number])
            for task, state in ((task, task.begin(SEEDS, EPISODES)) for task in (plain, varied))
        )
        assert 0.02 < (before != after).mean() < 0.25
    state = varied.begin(SEEDS, EPISODES)
    assert np.median([len(set(row)) for row in (state["move"] % MOVES).tolist()]) == 6


def test_a_share_of_the_questions_shows_what_was_learned(omniglot_folder: str) -> None:
    settings = {"rotate": True, "affine": 1.0, "queries": 4}
    plain, mixed = make(omniglot_folder, **settings), make(omniglot_folder, **settings, same=0.25)
    before, state = (task.begin(np.full(500, 3), np.arange(500)) for task in (plain, mixed))
    again = state["picture"][:, 5:] == np.take_along_axis(state["picture"][:, :5], state["target"], axis=1)
    assert 0.2 < again.mean() < 0.3
    np.testing.assert_array_equal(state["picture"][:, :5], before["picture"][:, :5])  # all else is as it was
    np.testing.assert_array_equal(state["picture"][:, 5:][~again], before["picture"][:, 5:][~again])
    np.testing.assert_array_equal(state["move"], before["move"])


def test_an_evaluation_has_no_variety(omniglot_folder: str) -> None:
    from runs.environments import split_kwargs

    given = {"rotate": True, "affine": 1.0, "queries": 4, "same": 0.5, "data": omniglot_folder}
    assert split_kwargs("Omniglot-v0", "validation", given) == {
        "order": "sequential",
        "data": omniglot_folder,
        "split": "validation",
    }


# ---- the encoder


@pytest.mark.parametrize("shape", [(3, 1, 28, 28), (1, 3, 7, 12), (2, 1, 2, 2)])
def test_a_glimpse_is_encoded_by_itself(shape: tuple[int, ...]) -> None:
    torch.manual_seed(0)
    encoder = BlockEncoder({"glimpse": PartSpec("glimpse", shape)}, AgentConfig(width=16, channels=6))
    glimpses = torch.rand(5, *shape)
    together = encoder({"glimpse": glimpses})
    assert together.shape == (5, 16)
    alone = torch.cat([encoder({"glimpse": glimpse[None]}) for glimpse in glimpses])
    torch.testing.assert_close(alone, together)
    assert (together[1:] - together[:1]).abs().amax(1).min() > 1e-3
