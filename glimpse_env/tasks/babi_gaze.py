"""Answer a question about a hidden story by choosing which of its lines to fixate."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.path_metrics import story_coverage
from glimpse_env.rng import Array, draw_words, uniform
from glimpse_env.tasks.arguments import check_choices
from glimpse_env.tasks.babi_task import BabiTask, tokens
from glimpse_env.tasks.base import box
from glimpse_env.tasks.hidden_lines import HiddenLines
from glimpse_env.tasks.records import Outcome, State

START_STREAM = 1
"""The random stream of the first fixated line; stream 0 chooses the question."""

STEP_BACK = {"last": 1, "scan": 2}
"""Scripted gazes that move back from the last line, by so many lines a glimpse."""


class BabiGaze(HiddenLines, BabiTask):
    """Answer a question about a hidden story by choosing which of its lines to fixate.

    ## Description
    The question of a bAbI story (`Babi`) is part of every observation. The story is hidden: the agent fixates one of its
    lines at a time, `num_glimpses` of them, and its last answer is scored. A glimpse is a retina for text: the fixated
    line in full, and around it a periphery that gets coarser with distance: which words occur in the 3, the 9, … lines
    around, without their order and line. The files name the lines that the answer depends on (the supporting lines), so
    that `info` has the share of them that were fixated.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `location` | `Box(-1, 1, (1,), float32)` | the next fixation along the story, -1 its beginning, 1 its end: of n lines number floor((location + 1) / 2 · n), from 0. With `saccades="relative"`, a step from the present location. |
    | `answer` | `Discrete(number of answers)` | the present answer |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `question` | `MultiDiscrete([vocabulary] * words)` | ids of the words of the question, padded with 0 |
    | `tokens` | `MultiDiscrete([vocabulary] * words)` | the fixated line |
    | `periphery` | `Box(0, 1, (scales, vocabulary), float32)` | 1 for each word in the 3, 9, … lines around, the line itself among them; beyond the story is nothing |
    | `location` | `Box(-1, 1, (1,), float32)` | the middle of the fixated line |
    | `lines` | `Box(1, longest story, (1,), float32)` | number of lines of the story |
    | `time` | `Box(0, 1, (1,), float32)` | steps taken, as a share of the episode |

    ## Rewards
    1 at the end for a right last answer, else 0. `info` has `target` (the class), `task` (the number of the bAbI
    task), `support_hit` (the share of the supporting lines fixated so far), after a step `scored` (whether its answer
    counts: in the last step) and `correct` (whether it is right), and at the end `is_success`.

    ## Starting State
    The question is a pure function of (seed, episode number), uniform over those of the split. The first fixated line
    is the last of the story, the middle one, or a random one, by `start`.

    ## Episode End
    `terminated` after `num_glimpses` steps: `reset` returns the first glimpse, steps 1 to num_glimpses - 1 the others,
    and the last step's answer is scored (its location is ignored). Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `num_glimpses` | 3 | glimpses, and steps, of an episode |
    | `scales` | 2 | how far the periphery reaches: 3, 9, … lines, 1 to 6 of them |
    | `start` | `"last"` | or `"centre"`, `"random"` |
    | `saccades` | `"absolute"` | or `"relative"` |
    | `task`, `size`, `language`, `data`, `split`, `order`, `rename`, `vocabulary`, `answers` | as of `Babi` | as of `Babi` |
    | `render_mode` | `None` | or `"ansi"`: `render()` shows the fixated lines and the answer |
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
        num_glimpses: int = 3,
        scales: int = 2,
        start: Literal["last", "centre", "random"] = "last",
        saccades: Literal["absolute", "relative"] = "absolute",
        **story: Any,
    ) -> None:
        if num_glimpses < 1:
            raise ValueError(f"num_glimpses must be at least 1, got {num_glimpses}")
        if not 1 <= scales <= 6:
            raise ValueError(f"scales must be 1 to 6 (3 to 729 lines), got {scales}")
        if start not in ("last", "centre", "random"):
            raise ValueError(f'start must be "last", "centre" or "random", got {start!r}')
        check_choices(saccades=saccades)
        super().__init__(backend, **story)
        self.horizon, self.scales, self.start, self.saccades = num_glimpses, scales, start, saccades
        words = len(self.words)
        self.episode_metrics = ("support_hit",)
        fixed = ("random", "oracle", *(STEP_BACK if start == "last" else ()))
        self.gazes = fixed if saccades == "absolute" else ()
        self.roles = {"question": "tokens", "tokens": "tokens", "periphery": "bag"}
        self.roles |= {"location": "place", "lines": "count", "time": "clock"}
        self.action_roles = {"location": "place" if saccades == "absolute" else "saccade", "answer": "class"}
        self.observation_space = spaces.Dict(
            {
                "question": tokens(words, self.width),
                "tokens": tokens(words, self.width),
                "periphery": box(0, 1, (scales, words)),
                "location": box(-1, 1, (1,)),
                "lines": box(1, self.longest, (1,)),
                "time": box(0, 1, (1,)),
            }
        )
        self.action_space = spaces.Dict(
            {"location": box(-1, 1, (1,)), "answer": spaces.Discrete(len(self.answer_names))}
        )

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp, state = self.backend.xp, self.question_state(seeds, episodes)
        index = state["index"]
        count = self.counts[index]
        if self.start == "last":
            line = count - 1
        elif self.start == "centre":
            line = count // 2
        else:
            line = self.line_at(uniform(draw_words(seeds, episodes, 1, START_STREAM)[:, 0]) * 2 - 1, count)
        path = xp.full((index.shape[0], self.horizon), -1, dtype=xp.int64, device=self.backend.device)
        path[:, 0] = line
        zero = xp.zeros_like(index)
        return {**state, "line": line, "time": zero, "answer": zero - 1, "path": path}

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        xp, index, line = self.backend.xp, state["index"], state["line"]
        count = self.counts[index]
        lines, time = (xp.astype(value, xp.float32)[:, None] for value in (count, state["time"]))
        return {
            "question": self.token_ids(state, self.questions[index]),
            "tokens": self.token_ids(state, self.line_rows(index, line)),
            "periphery": self.periphery(state),
            "location": self.centre(line, count)[:, None],
            "lines": lines,
            "time": time / xp.full_like(time, self.horizon),  # an array of divisors: see `glimpse`
        }

    def periphery(self, state: State) -> Array:
        """Which words occur in the 3, 9, … lines around the present one: (N, scales, vocabulary) float32, 0 or 1."""
        xp, index, line = self.backend.xp, state["index"], state["line"]
        n, reach = index.shape[0], min(3**self.scales // 2, self.longest - 1)
        around = line[:, None] + xp.arange(-reach, reach + 1, device=self.backend.device)
        inside = (around >= 0) & (around < self.counts[index][:, None])
        words = self.token_ids(state, self.line_rows(index, xp.where(inside, around, 0))).reshape(n, 2 * reach + 1, -1)
        words = xp.where(inside[:, :, None], words, 0)
        seen = xp.zeros((n, self.scales, len(self.vocabulary)), dtype=xp.float32, device=self.backend.device)
        rows = self.backend.rows(n)[:, None]
        for scale in range(self.scales):
            side = min(3 ** (scale + 1) // 2, reach)
            seen[rows, scale, words[:, reach - side : reach + side + 1].reshape(n, -1)] = 1.0
        seen[:, :, 0] = 0.0  # padding is no word
        return seen

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, index = self.backend.xp, state["index"]
        count, time = self.counts[index], state["time"] + 1
        terminated = time >= self.horizon
        location = action["location"][:, 0]
        if self.saccades == "relative":
            location = self.centre(state["line"], count) + location
        line = xp.where(terminated, state["line"], self.line_at(location.clip(-1.0, 1.0), count))
        state["path"][self.backend.rows(time.shape[0]), self.backend.clip(time, 0, self.horizon - 1)] = line
        return self.score({**state, "line": line, "time": time}, action["answer"], terminated)

    def scripted(self, name: str, seeds: Array, episodes: Array) -> Array:
        """The "oracle": the supporting lines, the last first, and again from the last (where a file names none, the
        last line); "last" moves back by one line a glimpse, "scan" by two.
        """
        xp, index = self.backend.xp, self.question_index(seeds, episodes)
        count = self.counts[index][:, None]
        step = xp.arange(self.horizon - 1, dtype=xp.int64, device=self.backend.device)[None]
        if name == "oracle":
            facts = -xp.sort(-self.facts[index], axis=1)
            named = xp.sum(xp.astype(facts >= 0, xp.int64), axis=1)[:, None]
            line = xp.take_along_axis(facts, step % self.backend.clip(named, 1, None), axis=1)
            line = xp.where(named > 0, line, count - 1)
        else:
            line = self.backend.clip(count - 1 - STEP_BACK[name] * (step + 1), 0, None)
        return self.centre(line, count)[..., None]

    def path_metrics(self, path: np.ndarray, seeds: np.ndarray, episodes: np.ndarray) -> dict[str, float]:
        """Saccades and entropy, and the share of the story's lines that were fixated."""
        index = self.question_index(self.backend.asarray(seeds), self.backend.asarray(episodes))
        covered = story_coverage(path, self.backend.to_numpy(self.counts[index]))
        return {**super().path_metrics(path, seeds, episodes), "attention/coverage": covered}

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        index = state["index"]
        hit = self.share_seen(self.facts[index], state["path"])
        return {"target": self.backend.copy(state["target"]), "task": self.numbers[index], "support_hit": hit}

    def render(self, state: State, row: int, mode: str) -> str:
        """The question, the fixated lines (the present one marked), a dot for each other, and at the end the answer."""
        index, time = int(state["index"][row]), int(state["time"][row])
        seen = set(self.backend.to_numpy(state["path"][row]).tolist())
        present = int(state["line"][row])
        names = self.row_names(state, row)
        lines = [
            f"{'>' if line == present else ' '}{line + 1:>3} {self.line_text(index, line, names) if line in seen else '·'}"
            for line in range(int(self.counts[index]))
        ]
        title = f"{self.title(state, row)}, glimpse {min(time + 1, self.horizon)} of {self.horizon}"
        end = [f"     {self.answer_text(state, row)}"] if time >= self.horizon else []
        return "\n".join([title, f"     {self.question_text(index, names)}", *lines, *end])
