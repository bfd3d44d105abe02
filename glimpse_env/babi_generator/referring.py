"""Tasks 11, 12 and 13: one or two people walk, and are referred to by names joined with "and" or by a pronoun.

A sentence of two people counts as two clauses, and a question is about one of the last five.
"""

from __future__ import annotations

from .moving import QUESTIONS
from .world import PEOPLE, PLACES, VERBS, WINDOW, Draws, Story

ADVERBS = ("Afterwards", "After that", "Following that", "Then")
PRONOUNS = {"Daniel": "he", "John": "he", "Mary": "she", "Sandra": "she"}


def _tell(story: Story, draws: Draws, people: int, pronoun: bool) -> None:
    known: dict[str, tuple[list[int], str]] = {}
    clauses: list[str] = []
    while story.questions < QUESTIONS:
        names: list[str] = []
        lines: list[int] = []
        for sentence in range(2):
            if sentence == 0 or not pronoun:
                names, lines = draws.sample(PEOPLE, people), []
                subject = " and ".join(names)
            else:
                subject = f"{draws.choice(ADVERBS)} {PRONOUNS[names[0]] if people == 1 else 'they'}"
            here = {known[name][1] for name in names if name in known}
            place = draws.choice([place for place in PLACES if place not in here])
            lines = [*lines, story.tell(f"{subject} {draws.choice(VERBS['move'])} the {place}.")]
            known.update(dict.fromkeys(names, (lines, place)))
            clauses += names
        name = draws.choice(clauses[-WINDOW:])
        support, place = known[name]
        story.ask(f"Where is {name}? ", place, support)


def basic_coreference(story: Story, draws: Draws) -> None:
    """Task 11: Mary went somewhere, then she went elsewhere."""
    _tell(story, draws, people=1, pronoun=True)


def conjunction(story: Story, draws: Draws) -> None:
    """Task 12: Mary and Daniel went somewhere."""
    _tell(story, draws, people=2, pronoun=False)


def compound_coreference(story: Story, draws: Draws) -> None:
    """Task 13: Mary and Daniel went somewhere, then they went elsewhere."""
    _tell(story, draws, people=2, pronoun=True)
