"""Recall the item that followed the one in the query."""

from __future__ import annotations

from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words, integers
from glimpse_env.tasks.arguments import check_count, check_range
from glimpse_env.tasks.base import box
from glimpse_env.tasks.copy import draw_vectors
from glimpse_env.tasks.sequence import LENGTH_STREAM, Script, SequenceTask, between


class AssociativeRecall(SequenceTask):
    """Recall the item that followed the one in the query.

    ## Description
    Several items are shown, each an item delimiter and then `rows` vectors of random bits, one a step. Then one of
    them, any but the last, is shown again between two query delimiters, and in `rows` silent steps the agent has to
    answer with the item that followed it. The associative recall task of Graves, Wayne & Danihelka 2014, "Neural Turing
    Machines", section 4.3; the defaults are its training distribution, and `min_items = max_items = 12` a test of
    generalisation. The measure, bits per sequence, is the sum over the scored steps of the binary cross-entropies
    between the target's bits and the probabilities of an agent, in bits: it is computed where those are known, from
    `target` and `scored` in `info`.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `MultiBinary(bits)` | the present answer; only those in silent steps count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `bits` | `Box(0, 1, (bits + 2,), float32)` | a vector, or zeros; the last two channels are the item delimiter and the query delimiter |

    ## Rewards
    Each silent step earns (its right bits) / (bits * rows): an episode's return is the share of right bits. `info`
    carries at every step `target` (the vector due, zeros where none is), `scored` (whether the answer counted) and
    `correct` (whether it counted and all its bits were right; at the last step, whether those of the whole episode
    were), and at the end `is_success`.

    ## Starting State
    The sequence is a pure function of (seed, episode number): `reset(seed=s)` begins episode 0 of seed s, each further
    `reset()` the next; `reset(options={"episode": k})` begins episode k. Its `info` has `num_items`, their number, which
    is uniform in [min_items, max_items], and `query`, the item of the query, from 0 and uniform among all but the last. Items are drawn with replacement: of six items of eighteen bits two are alike once in 17,000 episodes.

    ## Episode End
    `terminated` after items * (rows + 1) + 2 * rows + 2 steps, which `env.lengths(seed, episodes)` gives beforehand.
    Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `bits` | 6 | bits of a vector |
    | `rows` | 3 | vectors of an item |
    | `min_items`, `max_items` | 2, 6 | number of items |
    | `render_mode` | `None` | or `"ansi"`: `render()` is a line a step, with the answer and the target |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    info_keys = ("num_items", "query")

    def __init__(
        self, backend: Backend, *, bits: int = 6, rows: int = 3, min_items: int = 2, max_items: int = 6
    ) -> None:
        super().__init__(backend)
        check_count("bits", bits)
        check_count("rows", rows)
        check_range("items", min_items, max_items, least=2)
        self.bits, self.rows, self.min_items, self.max_items = int(bits), int(rows), int(min_items), int(max_items)
        self.horizon = self.max_items * (self.rows + 1) + 2 * self.rows + 2
        self.max_answers = self.rows
        self.roles, self.action_roles = {"bits": "bits"}, {"answer": "bits"}
        self.observation_space = spaces.Dict({"bits": box(0, 1, (self.bits + 2,))})
        self.action_space = spaces.Dict({"answer": spaces.MultiBinary(self.bits)})

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self._choice(seeds, episodes)[0] * (self.rows + 1) + 2 * self.rows + 2

    def _choice(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:
        """The number of items and the item of the query, both (N,)."""
        words = draw_words(seeds, episodes, 2, LENGTH_STREAM)
        items = between(words[:, 0], self.min_items, self.max_items)
        return items, integers(words[:, 1], items - 1)

    def script(self, seeds: Array, episodes: Array) -> Script:  # noqa: D102
        xp, device, n = self.backend.xp, self.backend.device, seeds.shape[0]
        items, query = self._choice(seeds, episodes)
        vectors = draw_vectors(seeds, episodes, self.max_items * self.rows, self.bits)
        vectors = xp.reshape(vectors, (n, self.max_items, self.rows, self.bits))
        row, part = xp.arange(n, device=device)[:, None], xp.arange(self.rows, device=device)[None, :]

        item = xp.zeros((n, self.max_items, self.rows + 1, self.bits + 2), dtype=xp.float32, device=device)
        item[:, :, 0, self.bits] = 1
        item[:, :, 1:, : self.bits] = xp.astype(vectors, xp.float32)
        listed = xp.arange(self.max_items, device=device)[None, :] < items[:, None]
        item = xp.reshape(item * listed[:, :, None, None], (n, -1, self.bits + 2))
        shown = xp.zeros((n, self.horizon + 1, self.bits + 2), dtype=xp.float32, device=device)
        shown[:, : item.shape[1]] = item

        start = items[:, None] * (self.rows + 1)
        answer = start + self.rows + 2
        shown[row, start, self.bits + 1] = 1
        shown[row, start + 1 + part, : self.bits] = xp.astype(vectors[row, query[:, None], part], xp.float32)
        shown[row, answer - 1, self.bits + 1] = 1
        target = xp.zeros((n, self.horizon + 1, self.bits), dtype=xp.int8, device=device)
        target[row, answer + part] = vectors[row, query[:, None] + 1, part]
        scored = xp.zeros((n, self.horizon + 1), dtype=xp.bool, device=device)
        scored[row, answer + part] = True
        return Script(shown, target, scored, answer[:, 0] + self.rows, {"num_items": items, "query": query})
