"""Copy a sequence of random bits."""

from __future__ import annotations

from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, bits, draw_words
from glimpse_env.tasks.arguments import check_count, check_range
from glimpse_env.tasks.base import box
from glimpse_env.tasks.sequence import BITS_STREAM, LENGTH_STREAM, Script, SequenceTask, between


class Copy(SequenceTask):
    """Copy a sequence of random bits.

    ## Description
    `length` vectors of random bits are shown, one a step, then a delimiter on a channel of its own, then nothing:
    in `length` silent steps the agent has to answer with the vectors in their order. The copy task of Graves, Wayne & Danihelka
    2014, "Neural Turing Machines", section 4.1; the defaults are its training distribution, and `min_length =
    max_length = 120` its test of generalisation. The measure, bits per sequence, is the sum over the scored steps of
    the binary cross-entropies between the target's bits and the probabilities of an agent, in bits: it is computed
    where those are known, from `target` and `scored` in `info`.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `MultiBinary(bits)` | the present answer; only those in silent steps count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `bits` | `Box(0, 1, (bits + 1,), float32)` | a vector, or zeros; the last channel is the delimiter |

    ## Rewards
    Each silent step earns (its right bits) / (bits * length): an episode's return is the share of right bits. `info`
    carries at every step `target` (the vector due, zeros where none is), `scored` (whether the answer counted) and
    `correct` (whether it counted and all its bits were right; at the last step, whether those of the whole episode
    were), and at the end `is_success`.

    ## Starting State
    The sequence is a pure function of (seed, episode number): `reset(seed=s)` begins episode 0 of seed s, each further
    `reset()` the next; `reset(options={"episode": k})` begins episode k. Its `info` has `length`, which is uniform in
    [min_length, max_length].

    ## Episode End
    `terminated` after 2 * length + 1 steps, which `env.lengths(seed, episodes)` gives beforehand. Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `bits` | 8 | bits of a vector |
    | `min_length`, `max_length` | 1, 20 | number of vectors |
    | `render_mode` | `None` | or `"ansi"`: `render()` is a line a step, with the answer and the target |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    info_keys = ("length",)

    def __init__(self, backend: Backend, *, bits: int = 8, min_length: int = 1, max_length: int = 20) -> None:
        super().__init__(backend)
        check_count("bits", bits)
        check_range("length", min_length, max_length)
        self.bits, self.min_length, self.max_length = int(bits), int(min_length), int(max_length)
        self.horizon, self.max_answers = 2 * self.max_length + 1, self.max_length
        self.roles, self.action_roles = {"bits": "bits"}, {"answer": "bits"}
        self.observation_space = spaces.Dict({"bits": box(0, 1, (self.bits + 1,))})
        self.action_space = spaces.Dict({"answer": spaces.MultiBinary(self.bits)})

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return 2 * self._length(seeds, episodes) + 1

    def _length(self, seeds: Array, episodes: Array) -> Array:
        word = draw_words(seeds, episodes, 1, LENGTH_STREAM)[:, 0]
        return between(word, self.min_length, self.max_length)

    def script(self, seeds: Array, episodes: Array) -> Script:  # noqa: D102
        length = self._length(seeds, episodes)
        vectors = draw_vectors(seeds, episodes, self.max_length, self.bits)
        shown, target, scored = write_copies(self.backend, vectors, length, length, self.horizon)
        return Script(shown, target, scored, 2 * length + 1, {"length": length})


def draw_vectors(seeds: Array, episodes: Array, count: int, width: int) -> Array:
    """Random vectors of bits, (N, count, width) int8. The first do not depend on `count`."""
    words = draw_words(seeds, episodes, -(-count * width // 32), BITS_STREAM)
    return bits(words)[:, : count * width].reshape(words.shape[0], count, width)


def write_copies(
    backend: Backend, vectors: Array, length: Array, answers: Array, horizon: int
) -> tuple[Array, Array, Array]:
    """The observations and targets of a sequence, its delimiter and the answers.

    Args:
        backend: that of the arrays.
        vectors: (N, longest, bits) int8.
        length: (N,) int64, how many of them are shown before the delimiter.
        answers: (N,) int64, how many answers are due after it: the vectors again and again.
        horizon: T, the steps of the longest episode.

    Returns:
        shown: (N, T + 1, bits + 1) float32; the last channel is the delimiter.
        target: (N, T + 1, bits) int8, zeros where none is due.
        scored: (N, T + 1) bool, where one is due.
    """
    xp, (n, longest, width) = backend.xp, vectors.shape
    rows = xp.arange(n, device=backend.device)
    since = xp.arange(horizon + 1, device=backend.device)[None, :] - length[:, None]
    shown = xp.zeros((n, horizon + 1, width + 1), dtype=xp.float32, device=backend.device)
    shown[:, :longest, :width] = xp.astype(vectors * (since[:, :longest, None] < 0), xp.float32)
    shown[rows, length, width] = 1
    scored = (since > 0) & (since <= answers[:, None])
    target = vectors[rows[:, None], (since - 1).clip(0) % length[:, None]] * scored[..., None]
    return shown, target, scored
