"""The simulated world the stories are told of: who is where, what lies where, and who holds what.

Weston et al. 2015, "Towards AI-complete question answering: a set of prerequisite toy tasks", section 4: stories come
from a simulation in which only possible actions happen. The words, the sets of names and the proportions are those
observed in the released files, version 1.2.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal, NamedTuple, TypeVar

import numpy as np

Item = TypeVar("Item")
Kind = Literal["move", "get", "drop", "give"]

PEOPLE = ("Daniel", "John", "Mary", "Sandra")
PLACES = ("bathroom", "bedroom", "garden", "hallway", "kitchen", "office")
OBJECTS = ("apple", "football", "milk")
VERBS: dict[Kind, tuple[str, ...]] = {
    "move": ("moved to", "went to", "went back to", "journeyed to", "travelled to"),
    "get": ("got", "grabbed", "took", "picked up"),
    "drop": ("dropped", "discarded", "left", "put down"),
    "give": ("gave", "handed", "passed"),
}
HANDING_ON: tuple[Kind, ...] = ("move", "get", "drop", "give", "give", "give", "give")
"""What can be done where things are given: who can do so gives a thing four times as often as drops one (counted)."""

THERE = 0.2
"""How often a drop, and in task 3 a get as well, ends in "there"."""

WINDOW = 5
"""Questions are asked about what the last five clauses told."""


class Draws:
    """Uniform draws from Philox with the key (seed, task), taken from the generator a few thousand at a time."""

    def __init__(self, seed: int, task: int) -> None:
        self._generator = np.random.Generator(np.random.Philox(key=np.array([seed, task], dtype=np.uint64)))
        self._ready: list[float] = []

    def uniform(self) -> float:
        """In [0, 1)."""
        if not self._ready:
            self._ready = self._generator.random(4096).tolist()
        return self._ready.pop()

    def chance(self, probability: float) -> bool:
        """True this often."""
        return self.uniform() < probability

    def choice(self, items: Sequence[Item]) -> Item:
        """One item, each as likely."""
        return items[int(self.uniform() * len(items))]

    def sample(self, items: Sequence[Item], count: int) -> list[Item]:
        """`count` different items in random order (all of them: a shuffle)."""
        rest = list(items)
        for i in range(count):
            j = i + int(self.uniform() * (len(rest) - i))
            rest[i], rest[j] = rest[j], rest[i]
        return rest[:count]


class Story:
    """Numbered lines as they stand in a file: sentences, and questions with an answer and supporting lines."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.questions = 0

    def tell(self, sentence: str) -> int:
        """Adds a sentence and returns the number of its line, from 1."""
        self.lines.append(f"{len(self.lines) + 1} {sentence}")
        return len(self.lines)

    def ask(self, question: str, answer: str, support: Sequence[int]) -> None:
        """Adds a question (its text up to the tab), its answer and the lines that support it."""
        self.lines.append(f"{len(self.lines) + 1} {question}\t{answer}\t{' '.join(map(str, support))}")
        self.questions += 1


class Event(NamedTuple):
    """One action. `target` is the place moved to or the object handled, `receiver` the one it is given to."""

    kind: Kind
    actor: str
    target: str
    receiver: str = ""


class World:
    """A state of affairs and the actions possible in it.

    At first everybody and everything is somewhere, each place as likely, and nobody holds anything; the reader is told
    none of it.

    Args:
        draws: the source of chance.
        kinds: what can be done in this world; one that stands there twice is drawn twice as often.
        people: names of the actors.
        places: where they can be.
        objects: what they can carry.
    """

    def __init__(
        self,
        draws: Draws,
        kinds: Sequence[Kind],
        people: Sequence[str] = PEOPLE,
        places: Sequence[str] = PLACES,
        objects: Sequence[str] = OBJECTS,
    ) -> None:
        self.draws, self.kinds, self.people, self.places, self.objects = draws, kinds, people, places, objects
        self.place = {name: draws.choice(places) for name in (*people, *objects)}
        self.holder: dict[str, str] = {}

    def _targets(self, kind: Kind, actor: str) -> list[str]:
        here = self.place[actor]
        if kind == "move":
            place = self.draws.choice(self.places)
            return [place] if place != here else []
        if kind == "get":
            return [thing for thing in self.objects if thing not in self.holder and self.place[thing] == here]
        return [thing for thing in self.objects if self.holder.get(thing) == actor]

    def act(self) -> Event:
        """Something happens: an actor, a kind of action and a place to move to are drawn until they are possible."""
        while True:
            actor, kind = self.draws.choice(self.people), self.draws.choice(self.kinds)
            targets = self._targets(kind, actor)
            near = [name for name in self.people if name != actor and self.place[name] == self.place[actor]]
            if targets and (kind != "give" or near):
                event = Event(
                    kind, actor, self.draws.choice(targets), self.draws.choice(near) if kind == "give" else ""
                )
                self._happen(event)
                return event

    def _happen(self, event: Event) -> None:
        if event.kind == "move":
            self.place[event.actor] = event.target
        elif event.kind == "get":
            self.holder[event.target] = event.actor
        elif event.kind == "give":
            self.holder[event.target] = event.receiver
        else:
            del self.holder[event.target]
            self.place[event.target] = self.place[event.actor]


def say(event: Event, draws: Draws, got_there: float = 1.0) -> str:
    """The event in a sentence.

    Args:
        event: what happened.
        draws: chooses the verb.
        got_there: how often a get ends in "there".
    """
    verb = draws.choice(VERBS[event.kind])
    if event.kind == "move":
        return f"{event.actor} {verb} the {event.target}."
    if event.kind == "give":
        return f"{event.actor} {verb} the {event.target} to {event.receiver}."
    there = " there" if draws.chance(got_there if event.kind == "get" else THERE) else ""
    return f"{event.actor} {verb} the {event.target}{there}."
