"""Tasks 1, 2, 3, 6, 7 and 8: people walk about and carry things.

Two actions, then a question about what the last five clauses told; where they allow none, two more actions. A thing
that lies where it was put down can be asked for, and one that was taken if its holder has walked since.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from .world import HANDING_ON, PEOPLE, PLACES, WINDOW, Draws, Event, Kind, Story, World, say

QUESTIONS = 5
"""Of a story."""

NUMBERS = ("none", "one", "two", "three")


class Reader:
    """What a reader knows of people and objects, and the lines it was told in."""

    def __init__(self) -> None:
        self.recent: deque[Event] = deque(maxlen=WINDOW)
        self.moves: dict[str, tuple[int, str]] = {}
        """Of a person: line and place of the last move."""
        self.handled: dict[str, tuple[int, Event]] = {}
        """Of an object: line and event of the last get, drop or gift."""
        self.carried: dict[str, list[tuple[int, str]]] = {}
        """Of an object: lines and places of the moves made with it since it was last taken."""
        self.lies: dict[str, tuple[int, str]] = {}
        """Of an object put down: line and place of the last move of who did, if there was one."""
        self.hands: dict[str, list[str]] = {name: [] for name in PEOPLE}
        """Of a person: what is held, in the order of taking."""
        self.deeds: dict[str, list[int]] = {name: [] for name in PEOPLE}
        """Of a person: the lines in which something was taken, put down, given or received."""

    def hear(self, event: Event, line: int) -> None:
        """Takes in what a line told."""
        kind, actor, target, receiver = event
        self.recent.append(event)
        if kind == "move":
            self.moves[actor] = line, target
            for thing in self.hands[actor]:
                self.carried[thing].append((line, target))
            return
        self.handled[target] = line, event
        self.deeds[actor].append(line)
        self.lies.pop(target, None)
        if kind == "get":
            self.hands[actor].append(target)
            self.carried[target] = []
            return
        self.hands[actor].remove(target)
        if kind == "give":
            self.hands[receiver].append(target)
            self.deeds[receiver].append(line)
        elif actor in self.moves:
            self.lies[target] = self.moves[actor]

    def walkers(self) -> list[str]:
        """Who moved of late, once for each move."""
        return [event.actor for event in self.recent if event.kind == "move"]

    def handlers(self) -> list[str]:
        """Who took, put down or gave something of late, once for each time."""
        return [event.actor for event in self.recent if event.kind != "move"]

    def things(self) -> list[str]:
        """What was taken or put down of late, once for each time."""
        return [event.target for event in self.recent if event.kind != "move"]


Ask = Callable[[Story, Reader, Draws], None]
"""Asks a question if there is one to be asked."""


def _tell(story: Story, draws: Draws, kinds: Sequence[Kind], ask: Ask, got_there: float = 1.0) -> None:
    world, reader = World(draws, kinds), Reader()
    while story.questions < QUESTIONS:
        for _ in range(2):
            event = world.act()
            reader.hear(event, story.tell(say(event, draws, got_there)))
        ask(story, reader, draws)


def _where_is_person(story: Story, reader: Reader, draws: Draws) -> None:
    name = draws.choice(reader.walkers())
    line, place = reader.moves[name]
    story.ask(f"Where is {name}? ", place, [line])


def _where_is_object(story: Story, reader: Reader, draws: Draws) -> None:
    known = [thing for thing in reader.things() if thing in reader.lies or _moved(reader, thing)]
    if known:
        thing = draws.choice(known)
        line, place = reader.lies[thing] if thing in reader.lies else reader.carried[thing][-1]
        story.ask(f"Where is the {thing}? ", place, [reader.handled[thing][0], line])


def _moved(reader: Reader, thing: str) -> bool:
    return reader.handled[thing][1].kind == "get" and bool(reader.carried[thing])


def _where_was_object(story: Story, reader: Reader, draws: Draws) -> None:
    known = [thing for thing in reader.things() if len(reader.carried.get(thing, ())) > 1]
    if known:
        thing = draws.choice(known)
        path = reader.carried[thing]
        places = [place for _, place in path]
        last = draws.choice([i for i in range(1, len(path)) if places[i] not in places[i + 1 :]])
        support = [reader.handled[thing][0], path[last][0], path[last - 1][0]]
        story.ask(f"Where was the {thing} before the {places[last]}? ", places[last - 1], support)


def _is_person_in(story: Story, reader: Reader, draws: Draws) -> None:
    if walkers := reader.walkers():
        name = draws.choice(walkers)
        line, place = reader.moves[name]
        yes = draws.chance(0.5)
        asked = place if yes else draws.choice([other for other in PLACES if other != place])
        story.ask(f"Is {name} in the {asked}? ", "yes" if yes else "no", [line])


def _how_many(story: Story, reader: Reader, draws: Draws) -> None:
    if handlers := reader.handlers():
        name = draws.choice(handlers)
        answer = NUMBERS[len(reader.hands[name])]
        story.ask(f"How many objects is {name} carrying? ", answer, reader.deeds[name])


def _what_is_carried(story: Story, reader: Reader, draws: Draws) -> None:
    if handlers := reader.handlers():
        name = draws.choice(handlers)
        story.ask(f"What is {name} carrying? ", ",".join(reader.hands[name]) or "nothing", reader.deeds[name])


def single_supporting_fact(story: Story, draws: Draws) -> None:
    """Task 1: where is Mary?"""
    _tell(story, draws, ("move",), _where_is_person)


def two_supporting_facts(story: Story, draws: Draws) -> None:
    """Task 2: where is the milk? It is where its holder walked last, or where it was put down."""
    _tell(story, draws, ("move", "get", "drop"), _where_is_object)


def three_supporting_facts(story: Story, draws: Draws) -> None:
    """Task 3: where was the milk before the office? The place from which its holder last walked to the office."""
    _tell(story, draws, ("move", "get", "drop"), _where_was_object, got_there=0.2)


def yes_no_questions(story: Story, draws: Draws) -> None:
    """Task 6: is Mary in the office? Half of the answers are yes."""
    _tell(story, draws, ("move", "get", "drop"), _is_person_in)


def counting(story: Story, draws: Draws) -> None:
    """Task 7: how many objects is Mary carrying?"""
    _tell(story, draws, HANDING_ON, _how_many)


def lists_sets(story: Story, draws: Draws) -> None:
    """Task 8: what is Mary carrying? The things in the order she took them, or nothing."""
    _tell(story, draws, ("move", "get", "drop"), _what_is_carried)
