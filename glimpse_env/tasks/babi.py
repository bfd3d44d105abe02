"""Answer a question about a story that is shown a sentence at a time."""

from __future__ import annotations

from typing import Any

from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array
from glimpse_env.tasks.babi_task import BabiTask, tokens
from glimpse_env.tasks.records import Outcome, State, Whole


class Babi(BabiTask):
    """Answer a question about a story, read a sentence at a time.

    ## Description
    The stories of bAbI (Weston et al. 2015, "Towards AI-complete question answering: a set of prerequisite toy tasks"):
    twenty tasks, each of which needs another kind of reasoning. A story is shown in order, one sentence a step, and then
    the question. No sentence is shown again: it must be remembered. The released files are English, Hindi or shuffled;
    where there are none, English ones are generated.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `Discrete(number of answers)` | the present answer; it counts when the question is shown |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `tokens` | `MultiDiscrete([vocabulary] * words)` | the sentence as ids of its words, padded with 0. Only the question has the word "?", always its last |

    ## Rewards
    1 at the end for a right answer to the question, else 0. `info` has `target` (the class), `task` (the number of
    the bAbI task), `length` (steps of the episode), after a step `scored` (whether its answer counts: in the last step)
    and `correct` (whether it is right), and at the end `is_success`.

    ## Starting State
    The question is a pure function of (seed, episode number), uniform over those of the split.

    ## Episode End
    A story of n sentences has n + 1 steps: `reset` returns sentence 1, steps 1 to n - 1 the others, step n the question,
    and the answer of step n + 1 is scored: `terminated`. Never truncated. `metadata["horizon"]` is the longest episode.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `task` | 1 | 1 to 20, or `"joint"` for all |
    | `size` | `"1k"` | or `"10k"` training questions a task; or `"100k"`, which are generated |
    | `language` | `"en"` | or `"hn"` (Hindi), `"shuffled"` |
    | `data` | `None` | a folder or an archive (.tar.gz, .tar.xz) of files in the released format; else they are searched in the folder that the environment variable GLIMPSE_DATA names (babi/en, babi/en-10k, tasks_1-20_v1-2/…, archives in babi/), in the cache, at mirrors, and else generated |
    | `split` | `"train"` | or `"validation"` (every tenth story of the training files), `"test"` |
    | `order` | `"random"` | or `"sequential"`: episode k has question k, so that an evaluation has each once |
    | `rename` | `False` | people, places and things change names within their kind, alike in story, question and answer: variety for training |
    | `vocabulary`, `answers` | those of the training files | the words and answers of a trained agent, in the order of its ids |
    | `render_mode` | `None` | or `"ansi"`: `render()` shows the sentences so far and the answer |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=256)`; with `backend="torch", device="cuda"` tensors in, tensors out. Episodes differ in
    length; `env.unwrapped.lengths(seed, episodes)` gives it beforehand.

    ## Version History
    * v0: the first.
    """

    interactive = False

    def __init__(self, backend: Backend, **story: Any) -> None:
        super().__init__(backend, **story)
        self.roles, self.action_roles = {"tokens": "tokens"}, {"answer": "class"}
        self.horizon = int(self.stories.length[self.rows].max()) + 1
        self.observation_space = spaces.Dict({"tokens": tokens(len(self.vocabulary), self.width)})
        self.action_space = spaces.Dict({"answer": spaces.Discrete(len(self.answer_names))})

    def lengths(self, seeds: Array, episodes: Array) -> Array:  # noqa: D102
        return self.counts[self.question_index(seeds, episodes)] + 1

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        state = self.question_state(seeds, episodes)
        zero = self.backend.xp.zeros_like(state["index"])
        return {**state, "time": zero, "answer": zero - 1}

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        xp, index, time = self.backend.xp, state["index"], state["time"]
        count = self.counts[index]
        line = self.line_rows(index, xp.minimum(time, count - 1))
        return {"tokens": self.token_ids(state, xp.where(time < count, line, self.questions[index]))}

    def whole(self, seeds: Array, episodes: Array, steps: int) -> Whole:  # noqa: D102
        xp, state = self.backend.xp, self.question_state(seeds, episodes)
        index, target = state["index"], state["target"][:, None]
        count = self.counts[index][:, None]
        self.check_steps(steps, count[:, 0] + 1)
        time = xp.arange(steps, dtype=xp.int64, device=self.backend.device)[None]
        rows = self.line_rows(index, xp.minimum(time, count - 1))
        tokens = self.token_ids(state, xp.where(time < count, rows, self.questions[index][:, None]))
        tokens = xp.reshape(tokens, (index.shape[0], steps, self.width))
        scored, inside = time == count, time <= count
        return Whole(
            {"tokens": xp.where(inside[..., None], tokens, 0)},
            xp.where(inside, target, 0),
            scored,
            xp.astype(scored, xp.float32),
            count[:, 0] + 1,
            self.info(state),
        )

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        time = state["time"] + 1
        return self.score({**state, "time": time}, action["answer"], time > self.counts[state["index"]])

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        index = state["index"]
        target = self.backend.copy(state["target"])
        return {"target": target, "task": self.numbers[index], "length": self.counts[index] + 1}

    def render(self, state: State, row: int, mode: str) -> str:
        """The lines so far, the question once it is shown, and the answer at the end."""
        index, time = int(state["index"][row]), int(state["time"][row])
        count = int(self.counts[index])
        names = self.row_names(state, row)
        lines = [f"{line + 1:>3} {self.line_text(index, line, names)}" for line in range(min(time + 1, count))]
        if time >= count:
            lines.append(f"    {self.question_text(index, names)}")
        if time > count:
            lines.append(f"    {self.answer_text(state, row)}")
        return "\n".join([self.title(state, row), *lines])
