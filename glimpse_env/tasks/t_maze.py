"""A corridor with a clue at its beginning and two arms at its end: to remember, and to know what is worth remembering."""

from __future__ import annotations

import numpy as np
from gymnasium import spaces

from glimpse_env.backend import Backend
from glimpse_env.rng import Array, draw_words
from glimpse_env.tasks.arguments import check_count
from glimpse_env.tasks.base import Task, box
from glimpse_env.tasks.records import Outcome, State

MOVES = ("right", "up", "left", "down")
"""The actions, by their numbers."""

RIGHT, UP, LEFT, DOWN = range(4)

FETCH = 1
"""How many steps before the beginning the clue lies, where it has to be fetched."""


class TMaze(Task):
    """Walk along a corridor and turn to the side that a clue told, long before.

    ## Description
    The T-maze of Bakker 2001, as in Ni et al. 2023, "When do transformers shine in RL?", section 4. A corridor of `length`
    cells ends in a junction with an arm on either side. A clue, shown in one cell alone, tells which is the right one;
    the cells between look all alike. Passive, the agent begins in the cell of the clue: it has to remember. Active
    (`active=True`), the clue lies one cell behind the beginning: the agent has to go back first, and what that is worth
    it finds out `length` steps later.

    ## Action Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `answer` | `Discrete(4)` | 0 right, 1 up, 2 left, 3 down; a move against a wall changes nothing |

    ## Observation Space
    `Dict` of
    | key | space | meaning |
    |---|---|---|
    | `seen` | `Box(-1, 1, (2,), float32)` | the clue, 1 for up and -1 for down, in its cell, 0 elsewhere; and 1 at the junction, 0 elsewhere |

    ## Rewards
    1 for turning into the right arm. Each other step costs 1 / length that ends further back than it could (active: than
    it could after fetching the clue). So the best return is 1; who does not know the side gets 0.5 on average, and who
    never moves -(length + 1) / length. `info` has at every step `target` (the best move, of who knows the side), `scored` (at the
    end), `correct` (whether the present move is the best; at the end, whether the arm is the right one), and at the end
    `is_success`.

    ## Starting State
    The side is a pure function of (seed, episode number), up as often as down.

    ## Episode End
    `terminated` in an arm, or after length + 1 steps (active: length + 3). Never truncated.

    ## Arguments
    | name | default | meaning |
    |---|---|---|
    | `length` | 20 | cells from the beginning to the junction |
    | `active` | `False` | whether the clue lies one cell behind the beginning |
    | `render_mode` | `None` | or `"ansi"`: `render()` draws the corridor |
    | `backend`, `device` | `"numpy"`, `None` | vector only: or `"torch"`, on the CPU or the device named, such as `"cuda"` |
    | `autoreset_mode` | `"NextStep"` | vector only: or `"SameStep"`, `"Disabled"` |

    ## Vectorized environment
    `gym.make_vec(id, num_envs=4096)`; with `backend="torch", device="cuda"` tensors in, tensors out.

    ## Version History
    * v0: the first.
    """

    render_modes = ("ansi",)
    judges = True
    answers_act = True
    answer_names = MOVES

    def __init__(self, backend: Backend, *, length: int = 20, active: bool = False) -> None:
        super().__init__(backend)
        check_count("length", length)
        if not isinstance(active, bool | np.bool_):
            raise ValueError(f"active is True or False, got {active!r}")
        self.length, self.active = int(length), bool(active)
        self.spare = 2 * FETCH * self.active
        self.stops = True
        self.horizon = self.length + 1 + self.spare
        self.roles, self.action_roles = {"seen": "bits"}, {"answer": "class"}
        self.observation_space = spaces.Dict({"seen": box(-1, 1, (2,))})
        self.action_space = spaces.Dict({"answer": spaces.Discrete(len(MOVES))})

    def begin(self, seeds: Array, episodes: Array) -> State:  # noqa: D102
        xp = self.backend.xp
        side = 1 - 2 * (draw_words(seeds, episodes, 1)[:, 0] & 1)
        zero = xp.zeros_like(side)
        knows = xp.full_like(zero, not self.active, dtype=xp.bool)
        return {"side": side, "cell": zero, "time": self.backend.copy(zero), "knows": knows, "arm": xp.zeros_like(zero)}

    def observe(self, state: State) -> dict[str, Array]:  # noqa: D102
        xp, cell = self.backend.xp, state["cell"]
        clue = xp.where(cell == -FETCH * self.active, state["side"], 0)
        junction = xp.astype(cell == self.length, xp.int64)
        return {"seen": xp.astype(xp.stack([clue, junction], axis=1), xp.float32)}

    def best(self, state: State) -> Array:
        """(N,) int64, the best move: to the clue, to the junction, into the right arm."""
        xp = self.backend.xp
        turn = xp.where(state["side"] > 0, UP, DOWN)
        return xp.where(state["cell"] == self.length, turn, xp.where(state["knows"], RIGHT, LEFT))

    def act(self, state: State, action: dict[str, Array]) -> Outcome:  # noqa: D102
        xp, move, best = self.backend.xp, action["answer"], self.best(state)
        time, before = state["time"] + 1, state["cell"]
        turned = (before == self.length) & ((move == UP) | (move == DOWN))
        arm = xp.where(turned, xp.where(move == UP, 1, -1), 0)
        step = xp.astype(move == RIGHT, xp.int64) - xp.astype(move == LEFT, xp.int64)
        cell = self.backend.clip(before + step, -FETCH * self.active, self.length)
        knows = state["knows"] | (cell == -FETCH * self.active)
        terminated = turned | (time >= self.horizon)
        right = turned & (arm == state["side"])
        late = ~turned & (cell < self.backend.clip(time - self.spare, -FETCH * self.active, self.length))
        reward = xp.astype(right, xp.float32) - xp.astype(late, xp.float32) / self.length
        after = {**state, "cell": cell, "time": time, "knows": knows, "arm": arm}
        correct = xp.where(terminated, right, move == best)
        return Outcome(after, reward, terminated, {"target": best, "scored": terminated, "correct": correct})

    def info(self, state: State) -> dict[str, Array]:  # noqa: D102
        return {"target": self.best(state)}

    def render(self, state: State, row: int, mode: str) -> str:
        """The corridor, the agent `@`, and the side of the clue where it is known by then, `^` or `v`."""
        cell, arm, side = (int(state[key][row]) for key in ("cell", "arm", "side"))
        offset = FETCH * self.active
        lines = [[" "] * (self.length + offset) + ["|"] for _ in range(3)]
        lines[1] = ["."] * (self.length + offset + 1)
        if bool(state["knows"][row]):
            lines[1][0] = "^" if side > 0 else "v"
        lines[1 - arm][cell + offset] = "@"
        return "\n".join("".join(line) for line in lines)
