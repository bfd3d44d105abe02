"""Tasks 9 and 10: the reader is told less than what happened.

Every line stands for a move. Half of them say so; the others tell where the person is now, where the person no longer
is, or two places of which one is right.
"""

from __future__ import annotations

from collections.abc import Sequence

from .moving import QUESTIONS
from .world import PEOPLE, PLACES, VERBS, WINDOW, Draws, Story, World

PEOPLE_IN_DOUBT = ("Bill", "Fred", "Julie", "Mary")
PLACES_IN_DOUBT = ("bedroom", "cinema", "kitchen", "office", "park", "school")
ASKED_RIGHT = 0.54
"""How often a question of task 10 names a place that was told (counted in the released files)."""


def _tell(story: Story, draws: Draws, people: Sequence[str], places: Sequence[str], negation: bool) -> None:
    world = World(draws, ("move",), people, places, ())
    known: dict[str, tuple[int, list[str], bool]] = {}
    """Of a person: line, the places named in it, and whether the person is there (in one of them)."""
    clauses: list[str] = []
    while story.questions < QUESTIONS:
        for _ in range(2):
            before = dict(world.place)
            _, name, place, _ = world.act()
            named, there = [place], True
            if draws.chance(0.5):
                line = story.tell(f"{name} {draws.choice(VERBS['move'])} the {place}.")
            elif draws.chance(0.5):
                line = story.tell(f"{name} is in the {place}.")
            elif negation:
                named, there = [before[name]], False
                line = story.tell(f"{name} is {draws.choice(('not', 'no longer'))} in the {named[0]}.")
            else:
                other = draws.choice([other for other in places if other != place])
                named = draws.sample([place, other], 2)
                line = story.tell(f"{name} is either in the {named[0]} or the {named[1]}.")
            known[name] = line, named, there
            clauses.append(name)
        name = draws.choice(clauses[-WINDOW:])
        line, named, there = known[name]
        if not there or draws.chance(0.5 if negation else ASKED_RIGHT):
            asked = draws.choice(named)
            answer = "no" if not there else "yes" if len(named) == 1 else "maybe"
        else:
            asked, answer = draws.choice([other for other in places if other not in named]), "no"
        story.ask(f"Is {name} in the {asked}? ", answer, [line])


def simple_negation(story: Story, draws: Draws) -> None:
    """Task 9: Mary is no longer in the bedroom. Is she there?"""
    _tell(story, draws, PEOPLE, PLACES, negation=True)


def indefinite_knowledge(story: Story, draws: Draws) -> None:
    """Task 10: Bill is either in the school or the park. Is he in the school? Maybe."""
    _tell(story, draws, PEOPLE_IN_DOUBT, PLACES_IN_DOUBT, negation=False)
