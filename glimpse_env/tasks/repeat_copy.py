"""Repeat what was shown a given number of times."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words
from glimpse_env.tasks.arguments import check_count, check_range
from glimpse_env.tasks.copy import draw_vectors, write_copies
from glimpse_env.tasks.sequence import LENGTH_STREAM, Script, SequenceTask, between


class RepeatCopy(SequenceTask):
    """Copy a sequence of random bits several times, and then mark the end.

    ## Description
    `length` vectors of random bits are shown, one a step, then a delimiter together with the number of repeats, each
    on a channel of its own, then nothing: in silent steps the agent has to answer with the sequence `repeats` times, and
    then with the end marker, one bit with the others zero. The repeat copy task of Graves, Wayne &
    Danihelka 2014, "Neural Turing Machines", section 4.2; the defaults are its training distribution. The measure is
    that of `Copy-v0`, bits per sequence.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `MultiBinary(bits + 1)` | the present answer, at last the end marker; only those in silent steps count |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `bits` | `Box((bits + 2,), float32)` | a vector, or zeros; the last channels, in [0, 1] and as wide as it must be, are the delimiter and the number of repeats, of mean 0 and variance 1 over `trained_repeats` |

    ## Rewards
    Each silent step earns (its right bits) / ((bits + 1) * (length * repeats + 1)): an episode's return is the share
    of right bits. `info` carries at every step `target` (the vector due, zeros where none is), `scored` (whether the
    answer counted) and `correct` (whether it counted and all its bits were right; at the last step, whether those of
    the whole episode were), and at the end `is_success`.

    ## Starting State
    The sequence is a pure function of (seed, episode number): `reset(seed=s)` begins episode 0 of seed s, each further
    `reset()` the next; `reset(options={"episode": k})` begins episode k. Its `info` has `length` and `repeats`, which
    are uniform between their least and largest values.

    ## Episode End
    `terminated` after length + 1 + length * repeats + 1 steps, which `env.lengths(seed, episodes)` gives beforehand.
    Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `bits` | 8 | bits of a vector |
    | `min_length`, `max_length` | 1, 10 | number of vectors |
    | `min_repeats`, `max_repeats` | 1, 10 | how many times they have to be repeated |
    | `trained_repeats` | `None` | (least, largest) number of repeats over which the one shown has mean 0 and variance 1; `None` is these episodes' own. An agent trained with the defaults is tested on twenty repeats with `trained_repeats=(1, 10)` |
    | `render_mode` | `None` | or `"ansi"`: `render()` is a line a step, with the answer and the target |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    info_keys = ("length", "repeats")

    def __init__(
        self,
        backend: Backend,
        *,
        bits: int = 8,
        min_length: int = 1,
        max_length: int = 10,
        min_repeats: int = 1,
        max_repeats: int = 10,
        trained_repeats: tuple[int, int] | None = None,
    ) -> None:
        super().__init__(backend)
        check_count("bits", bits)
        check_range("length", min_length, max_length)
        check_range("repeats", min_repeats, max_repeats)
        self.bits, self.min_length, self.max_length = int(bits), int(min_length), int(max_length)
        self.min_repeats, self.max_repeats = int(min_repeats), int(max_repeats)
        self.horizon = self.max_length * (self.max_repeats + 1) + 2
        self.max_answers = self.max_length * self.max_repeats + 1
        self.normalised = normalised_repeats(
            self.max_repeats, (self.min_repeats, self.max_repeats) if trained_repeats is None else trained_repeats
        )
        low, high = np.zeros(self.bits + 2, np.float32), np.ones(self.bits + 2, np.float32)
        low[-1], high[-1] = min(0, self.normalised[self.min_repeats]), max(0, self.normalised[self.max_repeats])
        self.shown_repeats = backend.asarray(self.normalised)
        self.roles, self.action_roles = {"bits": "bits"}, {"answer": "bits"}
        self.observation_space = spaces.Dict({"bits": spaces.Box(low, high, dtype=np.float32)})
        self.action_space = spaces.Dict({"answer": spaces.MultiBinary(self.bits + 1)})

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        length, repeats = self._sizes(seeds, episodes)
        return length * (repeats + 1) + 2

    def _sizes(self, seeds: Array, episodes: Array) -> tuple[Array, Array]:
        words = draw_words(seeds, episodes, 2, LENGTH_STREAM)
        length = between(words[:, 0], self.min_length, self.max_length)
        return length, between(words[:, 1], self.min_repeats, self.max_repeats)

    def script(self, seeds: Array, episodes: Array) -> Script:  # noqa: D102
        xp, (length, repeats) = self.backend.xp, self._sizes(seeds, episodes)
        vectors = draw_vectors(seeds, episodes, self.max_length, self.bits)
        shown, target, scored = write_copies(self.backend, vectors, length, length * repeats, self.horizon)
        shown = xp.concat([shown, xp.zeros_like(shown[..., :1])], axis=2)
        target = xp.concat([target, xp.zeros_like(target[..., :1])], axis=2)
        rows, end = xp.arange(length.shape[0], device=self.backend.device), length * (repeats + 1) + 1
        shown[rows, length, self.bits + 1] = self.shown_repeats[repeats]
        target[rows, end, self.bits] = 1
        scored[rows, end] = True
        return Script(shown, target, scored, end + 1, {"length": length, "repeats": repeats})

    def show(self, value: np.ndarray) -> str:  # noqa: D102
        vector = super().show(value[: self.bits + 1])
        is_delimiter = value.shape[0] > self.bits + 1 and value[self.bits]
        return f"{vector} ×{np.argmin(abs(self.normalised - value[-1]))}" if is_delimiter else vector


def normalised_repeats(largest: int, trained: tuple[int, int]) -> np.ndarray:
    """The numbers 0 to `largest`, (largest + 1,) float32, of mean 0 and variance 1 over `trained`, both included.

    Raises:
        ValueError: where `trained` is not the least and the largest number of a range.
    """
    if len(trained) != 2 or not 1 <= trained[0] <= trained[1]:
        raise ValueError(f"trained_repeats must be (least, largest) with 1 <= least <= largest, got {trained!r}")
    counts = np.arange(trained[0], trained[1] + 1)
    return ((np.arange(largest + 1) - counts.mean()) / (counts.std() or 1.0)).astype(np.float32)
