"""Which of a split's rows (images, questions, sentences) an episode shows."""

from __future__ import annotations

from typing import Literal

from glimpse_env.rng import Array, draw_words, integers


def chosen_rows(
    seeds: Array, episodes: Array, count: int, order: Literal["random", "sequential"], stream: int = 0
) -> Array:
    """The row of each episode, (N,) int64 in [0, count).

    Args:
        seeds, episodes: (N,) int64.
        count: how many rows there are.
        order: "random" is uniform, a pure function of (seed, episode number); with "sequential" episode k shows row k,
            and after the last row the first again.
        stream: of the random numbers.
    """
    if order == "sequential":
        return episodes % count
    return integers(draw_words(seeds, episodes, 1, stream)[:, 0], count)
