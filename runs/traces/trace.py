"""Traces: what an agent saw, believed and remembered in one episode, as plain arrays to draw or to keep."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from torch import Tensor

from agents.evaluation import play
from agents.trajectory import Trajectory
from glimpse_env.path_metrics import hits
from glimpse_env.retina import Retina
from glimpse_env.text import Vocabulary
from runs.traces.recall import Walk
from runs.traces.weights import over_steps

CONTEXT = ("place", "clock", "count", "bag", "around")
"""Roles of parts of an observation that say where and when something was seen; the first other part is drawn."""


class Trace(NamedTuple):
    """One episode of T steps.

    Attributes:
        episode: its number.
        role: of what was seen; it chooses the pictures (`runs.traces.pictures`).
        seen: (T, …): patches (T, scales, C, height, width) in [0, 1], finest first; ids of words; bits.
        answer: (A, …) int64, the answers that were scored.
        target: (A, …) int64, the right ones; -1 where one is not known.
        beliefs: (Q, K) float32, the probability of each class at each decision; K is 0 where an answer is no class.
        names: of the K classes; () where they have none.
        path: (T, D) float32 in [-1, 1], the fixations; None without a gaze.
        canvas: (H, W, C) uint8, C is 1 or 3, the whole image, which the agent never saw; None without one.
        retina: patch size and scales of the glimpses; None without them.
        box: (4,) int64 left, top, right, bottom of what is to be recognised, in pixels of the canvas; None without one,
            or where it is the whole canvas.
        lines: the words seen at each step; () without words.
        question: in words, where it is seen all the time; else "".
        line_numbers: (T,) int64, the number of each line in its story, from 1; None without a story.
        needed: (T,) bool, whether the answer rests on that line; None without a story.
        read: (T, heads or hops, S) read weights of the memory's S slots; None where it has none, as all that follow.
        write: (T, S) write weights, heads together.
        gate: (T,) in [0, 1], how much of each step was written.
        contents: (S, width), what lies in the slots at the end.
        step: (S,) int64, the step that lies in each slot at the end, -1 where none does.
        walk: the canvases that were shown one after the other, and what was asked about them; None where there was one.
        due: (Q,) int64, the right class at each decision, where several are wanted in turn; None where one is.
        text: the words of the text, where words are said in turn; () where there is one answer.
        aligned: (Q,) int64, of these the word that each decision rests on, from 0; -1 where it is not known, -2 where
            no answer counts; None as well.
        attention: (Q, words of the text) in [0, 1], how much of each decision's gaze, or recall, was on each; None as
            well.
        title: what it is called in pictures; "" is by its number.
    """

    episode: int
    role: str
    seen: np.ndarray
    answer: np.ndarray
    target: np.ndarray
    beliefs: np.ndarray
    names: tuple[str, ...] = ()
    path: np.ndarray | None = None
    canvas: np.ndarray | None = None
    retina: Retina | None = None
    box: np.ndarray | None = None
    lines: tuple[str, ...] = ()
    question: str = ""
    line_numbers: np.ndarray | None = None
    needed: np.ndarray | None = None
    read: np.ndarray | None = None
    write: np.ndarray | None = None
    gate: np.ndarray | None = None
    contents: np.ndarray | None = None
    step: np.ndarray | None = None
    walk: Walk | None = None
    right: bool | None = None
    due: np.ndarray | None = None
    text: tuple[str, ...] = ()
    aligned: np.ndarray | None = None
    attention: np.ndarray | None = None
    title: str = ""

    @property
    def caption(self) -> str:
        """What it is called in pictures."""
        return self.title or f"episode {self.episode:,}"

    @property
    def known(self) -> bool:
        """Whether the class of the last right answer is known."""
        return self.label >= 0

    @property
    def correct(self) -> bool:
        """Whether all scored answers are right, as the environment judges them where it does."""
        return bool(np.array_equal(self.answer, self.target)) if self.right is None else self.right

    @property
    def label(self) -> int:
        """The class of the last right answer."""
        return int(self.target[-1])

    def truth(self, step: int) -> int:
        """The right class at a decision."""
        return self.label if self.due is None else int(self.due[step])

    @property
    def hits(self) -> np.ndarray:
        """(T,) bool, whether each fixation lies in the box; all False without one."""
        if self.box is None or self.path is None or self.canvas is None:
            return np.zeros(len(self.seen), bool)
        return hits(self.path[None], self.box[None], (self.canvas.shape[0], self.canvas.shape[1]))[0]

    @property
    def has_memory(self) -> bool:
        """Whether there is anything to draw of a memory."""
        return any(value is not None for value in (self.read, self.write, self.gate))

    @property
    def recalled(self) -> np.ndarray:
        """(hops, T) read weights of each step in the last step; (0, T) where slots do not hold steps."""
        if self.read is None or self.step is None:
            return np.zeros((0, len(self.seen)))
        return over_steps(self.read[-1:], self.step[None], len(self.seen))[0]

    def name(self, answer: int) -> str:
        """A class in words."""
        if answer < 0:
            return "(unknown)"
        return self.names[answer] if self.names else str(answer)


def record_traces(agent: Any, env: Any, episodes: np.ndarray, *, seed: int = 0, gaze: str = "learned") -> list[Trace]:
    """Play episodes and keep what there was to see; see `play` and `traces_of`."""
    played = play(agent, env, episodes, seed=seed, gaze=gaze, watch=True)
    return [trace for trajectory, kept in played for trace in traces_of(trajectory, env, seed)[:kept]]


def traces_of(trajectory: Trajectory, env: Any, seed: int) -> list[Trace]:
    """A trace of each row of a trajectory in one of Glimpse's environments with this seed; none without right answers.

    What cannot be drawn as what it is, such as a glimpse of a task without a canvas, is drawn as numbers. Of several
    classes that are answered at once, it is the first.

    Raises:
        ValueError: where an answer is not finite.
    """
    logits, task, roles = trajectory.params["answer"], env.unwrapped.task, env.metadata["roles"]
    if not bool(logits.isfinite().all()):
        raise ValueError("the agent's answers are not finite numbers: its training has diverged, train it anew")
    if trajectory.target is None:
        return []
    story = env.unwrapped.story(seed, trajectory.episodes)
    place, asked = part_of(roles, "place"), question_part(trajectory, roles, story)
    part = next((name for name, role in roles.items() if role not in CONTEXT and name != asked), next(iter(roles)))
    words = Vocabulary(env.metadata["words"]) if env.metadata["words"] else None
    answers, targets, names = trajectory.actions["answer"], trajectory.target, tuple(env.metadata["answer_names"])
    by_class, several = (env.metadata["action_roles"]["answer"] == role for role in ("class", "classes"))
    if several and len(names) == task.action_space["answer"].nvec[0]:  # of several, the first is drawn
        by_class, logits = True, logits[..., : len(names)]
        answers, targets = answers[..., 0], targets[..., 0]
    drawable = {
        "glimpse": by_class and bool(place) and task.canvas_size is not None,
        "tokens": by_class and words is not None,
        "bits": True,
    }
    role = roles[part] if drawable.get(roles[part]) else "values"
    schedule = task.schedule if role == "glimpse" else None
    role = role if schedule is None or schedule.shown[-1] < 2 else "walk"
    role = "aligned" if role == "tokens" and story is not None and story.aligned is not None else role
    spoken = part if roles[part] == "tokens" else part_of(roles, "tokens")
    observed = {name: array(trajectory.observations[name]) for name in (part, place, asked, spoken) if name}
    traces = []
    for row, episode in enumerate(trajectory.episodes.tolist()):
        length, alive, scored = int(trajectory.length[row]), trajectory.alive[:, row], trajectory.scored[:, row]
        seen = observed[part][:length, row]
        answer, target = (array(values[:, row][scored]) for values in (answers, targets))
        beliefs = array(logits[:, row][alive].float().softmax(-1)) if by_class else np.zeros((int(alive.sum()), 0))
        trace = Trace(episode, role, seen, answer, target, beliefs, names)
        if role == "aligned" and words is not None:
            steps = np.arange(length) if trajectory.steps is None else array(trajectory.steps[:, row][alive])
            text = tuple(words.words[word[0]] for word in story.tokens[row, : story.count[row]])
            trace = trace._replace(due=array(targets[:, row][alive]), aligned=story.aligned[row, steps], text=text)
        if role == "glimpse" and len(np.unique(due := array(targets[:, row][alive]))) > 1:
            trace = trace._replace(due=due)
        if env.metadata.get("judges") and trajectory.hits is not None:
            trace = trace._replace(right=bool(trajectory.hits[:, row][scored].all()))
        trace = trace._replace(canvas=task.canvas(seed, episode), retina=task.retina, box=box_of(task, seed, episode))
        if place:
            trace = trace._replace(path=observed[place][:length, row])
        if words is not None:
            said = tuple(map(words.decode, observed[spoken][:length, row]))
            question = words.decode(observed[asked][0, row]) if asked else ""
            trace = trace._replace(lines=said, question=question)
        if role == "walk":
            trace = trace._replace(walk=walk_of(task, seed, episode, trace.lines))
        if story is not None:
            lines = np.arange(length)
            if place:
                lines = lines_at(task, observed[place][:length, row, 0], story.count[row : row + 1])
            trace = trace._replace(line_numbers=lines + 1, needed=np.isin(lines, story.support[row]))
        trace = trace._replace(**watched_of(trajectory, row, length))
        if role == "aligned":
            trace = trace._replace(attention=attention_of(trace, steps))
        traces.append(trace)
    return traces


def attention_of(trace: Trace, steps: np.ndarray) -> np.ndarray:
    """(Q, words of the text) in [0, 1]: at these steps (Q,), 1 on the word that was looked at; or, of a text that was
    read word by word, how much of the memory's reads was on each, mean over its heads or hops; 0 without either."""
    attention = np.zeros((len(steps), len(trace.text)))
    if trace.path is not None and trace.line_numbers is not None:
        attention[np.arange(len(steps)), trace.line_numbers[steps] - 1] = 1
    elif trace.read is not None and trace.step is not None:
        read = trace.read[steps]
        over = over_steps(read, np.broadcast_to(trace.step, (len(steps), len(trace.step))), len(trace.seen))
        attention = over[..., : len(trace.text)].mean(1)
    return attention


def box_of(task: Any, seed: int, episode: int) -> np.ndarray | None:
    """Where what is to be recognised lies, (4,) int64, (K, 4) of several things; None where the task has none, or it is
    the whole canvas."""
    boxes = task.target_boxes(*(task.backend.asarray(np.array([number], np.int64)) for number in (seed, episode)))
    if boxes is None:
        return None
    (height, width), box = task.canvas_size, task.backend.to_numpy(boxes)[0]
    if (box[..., 2:] <= box[..., :2]).all():  # it is not there
        return None
    return None if (box[..., :2] <= 0).all() and (box[..., 2:] >= (width, height)).all() else box


def walk_of(task: Any, seed: int, episode: int, lines: tuple[str, ...]) -> Walk:
    """The walk of an episode, of the words that were seen at each step; () without words."""
    numbers = (task.backend.asarray(np.array([number], np.int64)) for number in (seed, episode))
    known, schedule = task.supports(*numbers), task.schedule_of(seed, episode)
    asked = np.flatnonzero(schedule.scored)
    support = None if known is None else task.backend.to_numpy(known)[0][schedule.asked[asked]]
    questions = tuple(lines[step] if lines else "" for step in asked)
    labels = task.walk_labels(seed, episode)
    return Walk(task.walk_canvases(seed, episode), schedule.shown, asked, questions, support, labels)


def watched_of(trajectory: Trajectory, row: int, length: int) -> dict[str, Any]:
    """What the memory did in an episode of this length, by the fields of `Trace`."""
    if trajectory.watched is None:
        return {}
    watched = {name: value for name, value in trajectory.watched._asdict().items() if value is not None}
    fields = {
        name: array(value[row] if name in ("contents", "step") else value[:length, row])
        for name, value in watched.items()
    }
    if "step" in fields:  # what was written after the end of a shorter episode is none of its steps
        fields["step"] = np.where(fields["step"] < length, fields["step"], -1)
    return fields


def part_of(roles: dict[str, str], role: str) -> str:
    """The first part of an observation with this role; "" where there is none."""
    return next((name for name, found in roles.items() if found == role), "")


def last_correct(trajectory: Trajectory) -> np.ndarray:
    """(N,) bool, whether the last answer of each episode is right."""
    assert trajectory.hits is not None, "all of Glimpse's tasks tell the right answers"
    return array(trajectory.hits.all(-1).gather(0, trajectory.last()[None])[0])


def array(values: Tensor) -> np.ndarray:
    """The same values on the host."""
    return values.detach().cpu().numpy()


def lines_at(task: Any, location: np.ndarray, count: np.ndarray) -> np.ndarray:
    """The lines, from 0, at these locations in stories of so many lines."""
    return task.backend.to_numpy(task.line_at(task.backend.asarray(location), task.backend.asarray(count)))


def question_part(trajectory: Trajectory, roles: dict[str, str], story: Any) -> str:
    """The part of the observation that shows the question from the beginning; "" where none does."""
    if story is None:
        return ""
    seen = {name: array(trajectory.observations[name][0]) for name, role in roles.items() if role == "tokens"}
    return next((name for name, tokens in seen.items() if np.array_equal(tokens, story.question)), "")
