"""Checkpoints that were damaged are refused, or what they say is right: never wrong."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from agents.training.checkpoint import load_checked, save_atomically


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    weights = {"first.weight": torch.arange(300.0).reshape(20, 15), "bias": torch.ones(7, dtype=torch.float64)}
    recipe = {"name": "toy", "lr": 2e-3, "seed": 1, "env": {"size": 60, "images": None}, "parts": ["a", "b"]}
    save_atomically({"recipe": recipe, "agent": {"weights": weights}}, tmp_path / "agent.pt")
    return tmp_path / "agent.pt"


def same(first: object, second: object) -> bool:
    if isinstance(first, torch.Tensor) and isinstance(second, torch.Tensor):
        return first.dtype == second.dtype and torch.equal(first, second)
    if isinstance(first, dict) and isinstance(second, dict):
        return list(first) == list(second) and all(same(first[key], second[key]) for key in first)
    return type(first) is type(second) and first == second


def test_random_damages_are_refused_or_change_nothing(saved: Path, tmp_path: Path) -> None:
    content, rng, path = saved.read_bytes(), np.random.default_rng(0), tmp_path / "damaged.pt"
    whole, refused = load_checked(saved), []
    for number in range(1_000):
        damaged = bytearray(content)
        if number % 5 == 4:
            damaged = damaged[: rng.integers(len(content))]
        else:  # as often in the directory at the end as anywhere
            places = len(content) - rng.integers(1, 1_500, 3) if number % 2 else rng.integers(0, len(content), 3)
            for place in places[: rng.integers(1, 4)]:
                damaged[place] ^= 1 << rng.integers(8)
        path.write_bytes(damaged)
        try:
            values = load_checked(path)
        except ValueError as error:
            refused.append(str(error))
        else:
            assert same(values, whole), number
    assert 500 < len(refused) < 1_000  # there are bytes that say nothing
    assert all(str(path) in message for message in refused)


def test_one_bit_of_a_weight_is_noticed(saved: Path) -> None:
    content = bytearray(saved.read_bytes())
    place = content.index(torch.arange(300.0).numpy().tobytes())
    content[place + 100] ^= 1
    saved.write_bytes(content)
    assert torch.load(saved, weights_only=True)["format"] == "glimpse-2"  # PyTorch itself does not look
    with pytest.raises(ValueError, match=r"damaged or not a checkpoint \(the checksum of .* differs\)"):
        load_checked(saved)


def test_a_folder_stands_for_its_weights(saved: Path) -> None:
    assert same(load_checked(saved.parent), load_checked(saved))
    saved.rename(saved.with_name("checkpoint.pt"))  # before the first validation
    assert load_checked(saved.parent)["recipe"]["name"] == "toy"
    (saved.parent / "checkpoint.pt").unlink()
    with pytest.raises(FileNotFoundError, match=r"no checkpoint at .*checkpoint\.pt"):
        load_checked(saved.parent)
