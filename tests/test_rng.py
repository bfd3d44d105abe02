"""Philox against its published vectors, and what makes an episode a pure function of (seed, episode)."""

from __future__ import annotations

from fractions import Fraction
from itertools import product
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from glimpse_env.rng import arrangement, bits, draw_words, integers, philox, uniform

# Random123, tests/kat_vectors, the lines of philox4x32: rounds, counter, key, output (Salmon et al. 2011).
KNOWN_ANSWERS = """
 7  00000000 00000000 00000000 00000000  00000000 00000000  5f6fb709 0d893f64 4f121f81 4f730a48
 7  ffffffff ffffffff ffffffff ffffffff  ffffffff ffffffff  5207ddc2 45165e59 4d8ee751 8c52f662
 7  243f6a88 85a308d3 13198a2e 03707344  a4093822 299f31d0  4dfccaba 190a87f0 c47362ba b6b5242a
10  00000000 00000000 00000000 00000000  00000000 00000000  6627e8d5 e169c58d bc57ac4c 9b00dbd8
10  ffffffff ffffffff ffffffff ffffffff  ffffffff ffffffff  408f276d 41c83b0e a20bc7c6 6d5451fd
10  243f6a88 85a308d3 13198a2e 03707344  a4093822 299f31d0  d16cfe09 94fdcceb 5001e420 24126ea1
"""

word = st.integers(0, 2**32 - 1)
number = st.integers(0, 2**63 - 1)


def array(values: Any, place: str = "numpy") -> Any:
    """The values as int64: a NumPy array, or a tensor on the device `place`."""
    values = np.asarray(values, dtype=np.int64)
    return values if place == "numpy" else torch.as_tensor(values, device=place)


def plain(values: Any) -> np.ndarray:
    return values if isinstance(values, np.ndarray) else values.cpu().numpy()


def philox_oracle(counter: list[int], key: list[int], rounds: int) -> list[int]:
    """One block in Python's unbounded integers, from the paper's equations."""
    left0, right0, left1, right1 = counter
    for turn in range(rounds):
        key0 = (key[0] + turn * 0x9E3779B9) % 2**32
        key1 = (key[1] + turn * 0xBB67AE85) % 2**32
        high0, low0 = divmod(left0 * 0xD2511F53, 2**32)
        high1, low1 = divmod(left1 * 0xCD9E8D57, 2**32)
        left0, right0, left1, right1 = high1 ^ right0 ^ key0, low1, high0 ^ right1 ^ key1, low0
    return [left0, right0, left1, right1]


def words_oracle(seed: int, episode: int, count: int, stream: int = 0) -> list[int]:
    key = [seed % 2**32, seed // 2**32]
    blocks = range(-(-count // 4))
    rows = [philox_oracle([block, episode % 2**32, episode // 2**32, stream], key, 10) for block in blocks]
    return [value for row in rows for value in row][:count]


@pytest.mark.parametrize(
    "line", KNOWN_ANSWERS.strip().splitlines(), ids=[f"{n}-{i}" for n in (7, 10) for i in range(3)]
)
def test_philox_gives_the_published_vectors(place: str, line: str) -> None:
    rounds, *words = line.split()
    given_words = [array([int(value, 16)], place) for value in words[:6]]
    output = philox(tuple(given_words[:4]), tuple(given_words[4:]), rounds=int(rounds))
    assert [f"{int(value[0]):08x}" for value in output] == words[6:]


def test_philox_makes_ten_rounds_unless_told() -> None:
    counter, key = tuple(array([[1], [2], [3], [4]])), tuple(array([[5], [6]]))
    np.testing.assert_array_equal(philox(counter, key), philox(counter, key, rounds=10))


@settings(deadline=None)
@given(st.lists(st.tuples(*[word] * 6), min_size=1, max_size=8), st.integers(0, 12))
def test_philox_equals_unbounded_integers(rows: list[tuple[int, ...]], rounds: int) -> None:
    expected = [philox_oracle(list(row[:4]), list(row[4:]), rounds) for row in rows]
    for place in ("numpy", "cpu"):
        columns = [array(column, place) for column in zip(*rows, strict=True)]
        output = philox(tuple(columns[:4]), tuple(columns[4:]), rounds)
        np.testing.assert_array_equal(np.stack([plain(value) for value in output], axis=1), expected)


@settings(deadline=None)
@given(number, number, st.integers(1, 11), word)
def test_words_are_the_blocks_of_the_episode(seed: int, episode: int, count: int, stream: int) -> None:
    """Stored test sets are ranges of episode numbers: this layout of counter and key must never change."""
    expected = words_oracle(seed, episode, count, stream)
    for place in ("numpy", "cpu"):
        words = draw_words(array([seed], place), array([episode], place), count, stream)
        assert words.tolist() == [expected]


def test_words_at_the_largest_seeds_and_episodes(place: str) -> None:
    pairs = [(0, 0), (1, 0), (2**32, 0), (2**32 - 1, 2**32), (2**63 - 1, 0), (2**63 - 1, 2**40), (7, 2**63 - 1)]
    words = draw_words(array([pair[0] for pair in pairs], place), array([pair[1] for pair in pairs], place), 6)
    assert words.tolist() == [words_oracle(*pair, 6) for pair in pairs]


def test_first_words_do_not_depend_on_the_count(place: str) -> None:
    seeds, episodes = array([3, 2**63 - 1], place), array([0, 2**40], place)
    longest = plain(draw_words(seeds, episodes, 17))
    for count in range(1, 17):
        words = draw_words(seeds, episodes, count)
        assert words.shape == (2, count)
        np.testing.assert_array_equal(plain(words), longest[:, :count])


@settings(deadline=None)
@given(st.lists(st.tuples(number, number), max_size=6))
def test_a_row_does_not_depend_on_its_batch(pairs: list[tuple[int, int]]) -> None:
    seeds, episodes = [pair[0] for pair in pairs], [pair[1] for pair in pairs]
    for place in ("numpy", "cpu"):
        batch = draw_words(array(seeds, place), array(episodes, place), 7)
        assert batch.shape == (len(pairs), 7)
        for row, (seed, episode) in zip(batch, pairs, strict=True):
            assert row.tolist() == draw_words(array([seed], place), array([episode], place), 7)[0].tolist()


def test_seeds_episodes_and_streams_all_give_other_words() -> None:
    numbers = [0, 1, 2, 2**32 - 1, 2**32, 2**32 + 1, 2**40, 2**63 - 2, 2**63 - 1]
    seeds, episodes = (grid.ravel() for grid in np.meshgrid(array(numbers), array(numbers)))
    blocks = [draw_words(seeds, episodes, 8, stream).reshape(-1, 4) for stream in (0, 1, 2, 2**32 - 1)]
    assert len(np.unique(np.concatenate(blocks), axis=0)) == 4 * 2 * len(numbers) ** 2


def test_torch_draws_what_numpy_draws(place: str) -> None:
    rng = np.random.default_rng(0)
    seeds, episodes = rng.integers(0, 2**63, 500), rng.integers(0, 2**41, 500)
    expected = draw_words(seeds, episodes, 23, stream=1)
    words = draw_words(array(seeds, place), array(episodes, place), 23, stream=1)
    for ours, reference in [
        (words, expected),
        (integers(words, 55_000), integers(expected, 55_000)),
        (uniform(words), uniform(expected)),
    ]:
        assert plain(ours).dtype == reference.dtype
        np.testing.assert_array_equal(plain(ours), reference)


@settings(deadline=None)
@given(word, st.integers(1, 2**31))
def test_integers_multiply_and_shift(value: int, high: int) -> None:
    for place in ("numpy", "cpu"):
        assert integers(array([0, value, 2**32 - 1], place), high).tolist() == [0, value * high // 2**32, high - 1]


def test_integers_take_an_array_of_bounds() -> None:
    words = array([[0, 2**31, 2**32 - 1]] * 3)
    assert integers(words, array([[1], [2], [9]])).tolist() == [[0, 0, 0], [0, 1, 1], [0, 4, 8]]


def consecutive(kind: str) -> np.ndarray:
    """20,000 words along one direction of the counter and key."""
    many, zeros = np.arange(20_000), np.zeros(20_000, dtype=np.int64)
    if kind == "seeds":
        return draw_words(many, zeros, 1)[:, 0]
    if kind == "episodes":
        return draw_words(zeros, many, 1)[:, 0]
    return draw_words(zeros[:1], zeros[:1], 20_000)[0]


@pytest.mark.parametrize("high", [2, 10, 33])
@pytest.mark.parametrize("kind", ["seeds", "episodes", "words"])
def test_integers_are_uniform(kind: str, high: int) -> None:
    counts = np.bincount(integers(consecutive(kind), high), minlength=high)
    expected = 20_000 / high
    assert len(counts) == high
    freedom = high - 1  # the mean of chi-square, half its variance
    assert ((counts - expected) ** 2 / expected).sum() < freedom + 6 * (2 * freedom) ** 0.5


@pytest.mark.parametrize("kind", ["seeds", "episodes", "words"])
def test_uniform_is_uniform(kind: str) -> None:
    values = np.sort(uniform(consecutive(kind)))
    # Kolmogorov-Smirnov: 2 / sqrt(n) is exceeded once in 1500.
    assert np.abs(values - np.arange(20_000) / 20_000).max() < 2 / 20_000**0.5


@settings(deadline=None)
@given(word)
def test_uniform_is_exact(value: int) -> None:
    for place in ("numpy", "cpu"):
        numbers = plain(uniform(array([value, 0, 2**32 - 1], place)))
        assert numbers.dtype == np.float32
        assert Fraction(float(numbers[0])) == Fraction(value >> 8, 2**24)
        assert numbers[1] == 0
        assert numbers[2] == 1 - 2.0**-24  # the largest float32 below 1


def test_bits_are_those_of_the_words(place: str) -> None:
    words = [[0b1101, 2**31], [2**32 - 1, 0]]
    found = plain(bits(array(words, place)))
    assert (found.shape, found.dtype) == ((2, 64), np.int8)
    assert ["".join(map(str, row)) for row in found] == ["1011" + "0" * 28 + "0" * 31 + "1", "1" * 32 + "0" * 32]


def test_every_ordered_choice_has_as_many_words(place: str) -> None:
    """Choosing 3 of 5: the 5 · 4 · 3 ranks stand for the 60 ordered choices, each once."""
    ranks = np.array(list(product(range(5), range(4), range(3))))
    for low in (True, False):  # the least and the greatest words of a rank
        words = -(-ranks * 2**32 // [5, 4, 3]) if low else -(-(ranks + 1) * 2**32 // [5, 4, 3]) - 1
        chosen = plain(arrangement(array(words, place), 5))
        assert set(np.unique(chosen)) == set(range(5))
        assert all(len(set(row)) == 3 for row in chosen.tolist())
        assert len(np.unique(chosen, axis=0)) == 60


@given(words=st.lists(word, min_size=1, max_size=40), spare=st.integers(0, 2**31 - 40))
def test_an_arrangement_repeats_nothing(words: list[int], spare: int) -> None:
    high = len(words) + spare
    chosen = arrangement(array([words]), high)[0]
    assert len(set(chosen.tolist())) == len(words)
    assert 0 <= chosen.min() <= chosen.max() < high
    np.testing.assert_array_equal(arrangement(array([words[:3]]), high)[0], chosen[:3])
