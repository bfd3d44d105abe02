"""Arcs over sentences: which words an agent found, and how they are drawn."""

from __future__ import annotations

from pathlib import Path

import gymnasium as gym
import numpy as np
import pytest
import torch

from agents import AgentConfig, AttentionAgent, spec_of
from glimpse_env.tasks.arcs import Arcs
from runs.traces.arcs import ReadSentence, arcs_panel, arcs_sheet, read_sentences
from runs.traces.layout import MUTED, TRUTH, WRONG
from tests.test_arcs import folder

__all__ = ["folder"]


def shown(panel: np.ndarray, colour: tuple[int, int, int]) -> int:
    return int((panel == colour).all(-1).sum())


def test_what_is_wrong_is_drawn_above_and_what_was_missed_below() -> None:
    words, head = ("the", "dog", "slept"), np.array([1, 2, 2])
    right = arcs_panel(ReadSentence(words, head, head))
    wrong = arcs_panel(ReadSentence(words, np.array([2, 2, 2]), head))
    assert shown(right, TRUTH) > shown(wrong, TRUTH) > 0
    assert shown(right, WRONG) == shown(right, MUTED) == 0
    assert min(shown(wrong, WRONG), shown(wrong, MUTED)) > 0
    assert len(wrong) > len(right)
    sheet = arcs_sheet([ReadSentence(words, head, head)] * 2, "title", "of these")
    assert len(sheet) > 2 * len(right)


def test_whole_sentences_are_read_with_the_gaze_that_is_asked_for(folder: Path) -> None:
    env = gym.make_vec(
        "glimpse_env:Glimpse/Arcs-v0",
        num_envs=5,
        treebank="ewt",
        data=folder,
        order="sequential",
        backend="torch",
        device="cpu",
    )
    agent = AttentionAgent(spec_of(env), AgentConfig(width=8, saccades="words", ignore=()))
    with torch.no_grad():
        for first, sentences, expected in ((0, 2, 2), (1, 2, 2), (25, 9, 1)):
            read = read_sentences(agent, env, first, sentences, gaze="oracle")
            assert len(read) == expected
            for sentence in read:
                assert sentence.words == ("the", "dogs", "can", "not", "sleep", ".")
                assert sentence.head.tolist() == sentence.found.tolist() == [1, 4, 4, 4, 4, 4]
        random = read_sentences(agent, env, 0, 6, gaze="random")
        assert any((sentence.found != sentence.head).any() for sentence in random)
        with pytest.raises(ValueError, match="no sentence begins at episode 31 or after it: there are 36"):
            read_sentences(agent, env, 31, 1)
        other = gym.make_vec("glimpse_env:Glimpse/Scan-v0", num_envs=5, backend="torch", device="cpu")
        with pytest.raises(ValueError, match="--arcs draws whole sentences, of an agent of Glimpse/Arcs-v0"):
            read_sentences(agent, other, 0, 1)
    assert isinstance(env.unwrapped.task, Arcs)  # type: ignore[attr-defined]
