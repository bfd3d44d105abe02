"""Beliefs about hidden lines: the constraints one by one, and against every story that there could be."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from torch import Tensor

from agents.story_map.beliefs import line_beliefs

# Sentences of two words each, of four words.
KNOWN = torch.tensor([[1.0, 1, 0, 0], [0, 1, 1, 0], [0, 0, 1, 1], [1, 0, 0, 1], [0, 0, 0, 0]])
PRIOR = torch.log(torch.tensor([0.3, 0.3, 0.2, 0.1, 0.1]))


def bags(story: list[int], windows: list[tuple[int, int]]) -> Tensor:
    """(1, B, V) bool, the words of the windows of a story of these sentences."""
    return torch.stack([KNOWN[story[first : last + 1]].amax(0) > 0 for first, last in windows])[None]


def believed(
    story: list[int], windows: list[tuple[int, int]], looked: list[int] | None = None, lines: int = 0, rounds: int = 4
) -> Tensor:
    """(L, K) beliefs about a story of these sentences, of `lines` of it where given."""
    lines = lines or len(story)
    first, last = torch.tensor(windows).T[:, None]
    at = torch.zeros(1, lines, dtype=torch.bool)
    at[0, looked or []] = True
    read = KNOWN[story[:lines]][None] * at[..., None]
    exists = torch.ones_like(at)
    return line_beliefs(first, last, bags(story, windows), at, read, exists, KNOWN, PRIOR, rounds)[0]


def test_nothing_seen_is_the_prior() -> None:
    belief = believed([0, 1, 2], [(0, 0)])
    torch.testing.assert_close(belief[1:], PRIOR.exp().expand(2, -1))


def test_a_word_that_is_not_there_rules_a_sentence_out() -> None:
    belief = believed([0, 4], [(0, 1)])  # words 0 and 1 alone
    assert (belief[:, 1:4] < 1e-6).all()


def test_a_word_that_nothing_else_explains_must_be_in_the_line_left() -> None:
    belief = believed([0, 1], [(0, 1)], looked=[0])  # word 2 is not in line 0
    assert belief[1, 1] > 0.99
    unsaid = believed([0, 1], [(0, 1)], looked=[0], rounds=0)
    assert unsaid[1, 1] < 0.9


def test_what_is_certain_of_one_line_tells_of_the_next() -> None:
    """Line 1 follows from line 0; only then does the second window tell line 2."""
    story, windows = [0, 2, 1], [(0, 1), (1, 2)]
    assert believed(story, windows, looked=[0])[1, 2] > 0.99
    early, late = believed(story, windows, looked=[0], rounds=1)[2], believed(story, windows, looked=[0])[2]
    assert late[1] > early[1]
    assert late[3] < 1e-6  # word 0 is in no line of the second window


def test_a_window_that_reaches_beyond_the_map_explains_nothing() -> None:
    """The word left may be in a line that is not mapped."""
    beyond = believed([0, 4, 1], [(0, 2)], looked=[0], lines=2)
    within = believed([0, 1], [(0, 1)], looked=[0])
    assert within[1, 1] > 0.99
    assert beyond[1, 1] < 0.9


def test_lines_that_do_not_exist_hold_no_words() -> None:
    first, last = torch.zeros(1, 1, dtype=torch.int64), torch.ones(1, 1, dtype=torch.int64)
    exists = torch.tensor([[True, False]])
    nothing = torch.zeros(1, 2, dtype=torch.bool)
    words = bags([1], [(0, 0)])
    belief = line_beliefs(first, last, words, nothing, torch.zeros(1, 2, 4), exists, KNOWN, PRIOR)
    assert belief[0, 0, 1] > 0.99  # nobody but line 0 can have said it


@pytest.mark.parametrize("seed", range(6))
def test_they_are_near_the_truth(seed: int) -> None:
    """Against the posterior by enumeration of all stories: the right sentence of each line is as probable, nearly."""
    rng = np.random.default_rng(seed)
    prior = PRIOR.exp().numpy()
    story = rng.choice(5, 4, p=prior).tolist()
    windows, looked = [(0, 2), (1, 3), (0, 1)], [1]
    seen = bags(story, windows)
    posterior = np.zeros((4, 5))
    for other in itertools.product(range(5), repeat=4):
        if other[1] == story[1] and torch.equal(bags(list(other), windows), seen):
            weight = prior[list(other)].prod()
            for line, sentence in enumerate(other):
                posterior[line, sentence] += weight
    posterior /= posterior.sum(1, keepdims=True)
    belief = believed(story, windows, looked, rounds=8).numpy()
    hidden = [0, 2, 3]
    assert (belief[hidden][posterior[hidden] == 0] < 0.05).all()
    error = np.abs(belief[hidden] - posterior[hidden]).sum(1) / 2
    assert error.mean() < 0.15


def test_batches_do_not_mix() -> None:
    one, other = ([0, 2, 1], [2, 3, 0])
    windows = [(0, 1), (1, 2)]
    first, last = (torch.tensor(windows).T[:, None].expand(2, 2, -1)).unbind(0)
    words = torch.cat([bags(one, windows), bags(other, windows)])
    looked = torch.tensor([[True, False, False]] * 2)
    read = torch.stack([KNOWN[one], KNOWN[other]]) * looked[..., None]
    both = line_beliefs(first, last, words, looked, read, torch.ones_like(looked), KNOWN, PRIOR, 4)
    torch.testing.assert_close(both[0], believed(one, windows, [0]))
    torch.testing.assert_close(both[1], believed(other, windows, [0]))
