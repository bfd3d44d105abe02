"""Recall the value of a key, whenever one of many occurs again."""

from __future__ import annotations

from math import isfinite

import numpy as np
from array_api_compat import array_namespace, device
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, arrangement, draw_words, integers
from glimpse_env.tasks.arguments import check_count
from glimpse_env.tasks.sequence import BITS_STREAM, Script, SequenceTask

FILLER_STREAM = 1
"""The random stream of the tokens that are neither pairs nor queries; stream 0 makes those."""


class MQAR(SequenceTask):
    """Multi-query associative recall: recall the value of each key that occurs again.

    ## Description
    A sequence of `length` tokens, one a step. The first 2 * pairs are keys and their values in turn; keys are tokens
    from 1 to vocabulary / 2 - 1, values those from vocabulary / 2, both without replacement. Each key then occurs
    once more, 2 * g tokens after the pairs, and there the agent has to answer with its value. The gaps g = 0, 1, … are drawn
    pair by pair without replacement, with a probability that falls as (g + 1) ** (power - 1). All other tokens are
    random (keys and values among them), or 0. The task of Arora et al. 2023, "Zoology: Measuring and Improving Recall
    in Efficient Language Models", as in the generator published with it; the paper's sweep is length 64 with 4 pairs,
    128 with 8, 256 with 16 and 512 with 64.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `Discrete(vocabulary)` | the present answer; only those to queries count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete([vocabulary])` | the present token |

    ## Rewards
    Each query earns 1 / pairs if it is answered right: an episode's return is the share of right answers. `info`
    carries at every step `target` (the value due, 0 where none is), `scored` (whether the answer counted) and `correct`
    (whether it counted and was right; at the last step, whether all of the episode were), and at the end `is_success`.

    ## Starting State
    The sequence is a pure function of (seed, episode number): `reset(seed=s)` begins episode 0 of seed s, each further
    `reset()` the next; `reset(options={"episode": k})` begins episode k.

    ## Episode End
    `terminated` after `length` steps. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `length` | 64 | tokens, and steps, of an episode: even, and at least 4 * pairs |
    | `pairs` | 4 | pairs of a key and a value |
    | `vocabulary` | 8192 | number of tokens |
    | `power` | 0.01 | of the gaps: 1 is uniform, less brings the queries nearer to the pairs |
    | `random_non_queries` | `True` | whether other tokens are random, or 0 (as in the paper's figure 2) |
    | `render_mode` | `None` | or `"ansi"`: `render()` is a line a step, with the answer and the target |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    def __init__(
        self,
        backend: Backend,
        *,
        length: int = 64,
        pairs: int = 4,
        vocabulary: int = 8192,
        power: float = 0.01,
        random_non_queries: bool = True,
    ) -> None:
        super().__init__(backend)
        check_count("length", length)
        check_count("pairs", pairs)
        check_count("vocabulary", vocabulary)
        if length % 2 or length < 4 * pairs:
            raise ValueError(f"length must be even and at least 4 * pairs = {4 * pairs}, got {length}")
        if not 2 * pairs + 2 <= vocabulary <= 2**31:
            raise ValueError(
                f"vocabulary must be from 2 * pairs + 2 = {2 * pairs + 2}, for as many keys, to 2**31, got {vocabulary}"
            )
        if not (isfinite(power) and power > 0):
            raise ValueError(f"power must be a positive number, got {power!r}")
        self.horizon, self.pairs, self.vocabulary = int(length), int(pairs), int(vocabulary)
        self.max_answers = self.pairs
        self.random_non_queries = bool(random_non_queries)
        self.gap_weights = backend.asarray(gap_weights((self.horizon - 2 * self.pairs) // 2, power))
        self.roles, self.action_roles = {"tokens": "tokens"}, {"answer": "class"}
        self.observation_space = spaces.Dict({"tokens": spaces.MultiDiscrete([self.vocabulary])})
        self.action_space = spaces.Dict({"answer": spaces.Discrete(self.vocabulary)})

    def script(self, seeds: Array, episodes: Array) -> Script:  # noqa: D102
        xp, place, n, pairs = self.backend.xp, self.backend.device, seeds.shape[0], self.pairs
        words = draw_words(seeds, episodes, 3 * pairs, BITS_STREAM)
        half = self.vocabulary // 2
        keys = 1 + arrangement(words[:, :pairs], half - 1)
        values = half + arrangement(words[:, pairs : 2 * pairs], self.vocabulary - half)
        places = 2 * pairs + 2 * draw_gaps(words[:, 2 * pairs :], self.gap_weights)

        rows = xp.arange(n, device=place)[:, None]
        shown = xp.zeros((n, self.horizon + 1, 1), dtype=xp.int64, device=place)
        if self.random_non_queries:
            fillers = draw_words(seeds, episodes, self.horizon, FILLER_STREAM)
            shown[:, : self.horizon, 0] = integers(fillers, self.vocabulary)
        shown[:, 0 : 2 * pairs : 2, 0] = keys
        shown[:, 1 : 2 * pairs : 2, 0] = values
        shown[rows, places, 0] = keys
        target = xp.zeros((n, self.horizon + 1), dtype=xp.int64, device=place)
        target[rows, places] = values
        scored = xp.zeros((n, self.horizon + 1), dtype=xp.bool, device=place)
        scored[rows, places] = True
        return Script(shown, target, scored, self.lengths(seeds, episodes), {})

    def show(self, value: np.ndarray) -> str:  # noqa: D102
        return str(value.item())


def gap_weights(count: int, power: float) -> np.ndarray:
    """Zoology's p(g), g = 1 … count, proportional to g ** (power - 1): (count,) int64, their sum near 2**30.

    Whole numbers, because a sum of floats is not the same on every machine.
    """
    weights = np.arange(1, count + 1, dtype=np.float64) ** (power - 1)
    return np.maximum(weights / weights.sum() * 2**30, 1).astype(np.int64)


def draw_gaps(words: Array, weights: Array) -> Array:
    """Places drawn one after the other without replacement, each with a probability in proportion to its weight.

    Args:
        words: (N, draws) random words.
        weights: (count,) int64, at least 1, their sum at most 2**31; `count` is at least `draws`.

    Returns:
        (N, draws) int64 in [0, count), no two of a row alike.
    """
    xp = array_namespace(words)
    n, draws = words.shape
    rows = xp.arange(n, device=device(words))
    left = xp.tile(weights[None, :], (n, 1))
    gaps = []
    for draw in range(draws):
        edges = xp.cumulative_sum(left, axis=1)
        gap = xp.sum(xp.astype(edges <= integers(words[:, draw : draw + 1], edges[:, -1:]), xp.int64), axis=1)
        left[rows, gap] = 0
        gaps.append(gap)
    return xp.stack(gaps, axis=1)
