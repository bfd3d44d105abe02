"""Made-up sentences with the word that each word hangs on: what is told by what kind of word, and how far it may be."""

from __future__ import annotations

import random
from collections.abc import Iterator

from glimpse_env.treebank_files import Sentence, Word

DETERMINERS = ("the", "a", "this", "every")
ADJECTIVES = ("old", "small", "red", "quiet", "early", "broken", "new", "strange")
NOUNS = ("dog", "train", "teacher", "river", "window", "engine", "letter", "garden", "child", "storm", "song", "boat")
VERBS = ("saw", "left", "found", "moved", "heard", "passed", "drew", "lost")
OF_NOUNS, OF_VERBS = ("of", "from", "beside"), ("with", "during", "after")
"""Prepositions whose phrase hangs on the noun before it, and on the verb."""

SENTENCES = {"train": 12_000, "validation": 1_000, "test": 1_000}


def template_trees(seed: int = 0) -> Iterator[Sentence]:
    """Sentences of 3 to 43 words: a subject, a verb, an object perhaps, and phrases that hang on either.

    What stands between a subject and its verb (phrases, clauses) makes long arcs. Words are drawn alike in all splits,
    and so are sentences.
    """
    draw = random.Random(seed)
    for split, count in SENTENCES.items():
        for _ in range(count):
            yield Sentence(tuple(_clause(draw)), split)


def _clause(draw: random.Random) -> list[Word]:
    words: list[Word] = []
    subject = _noun_phrase(draw, words, "nsubj", depth=0)
    verb = len(words)
    words.append(Word(draw.choice(VERBS), "VERB", verb, "root"))
    _hang(words, subject, verb)
    if draw.random() < 0.7:
        _hang(words, _noun_phrase(draw, words, "obj", depth=1), verb)
    for _ in range(draw.choice((0, 0, 1, 2))):
        _hang(words, _prepositional(draw, words, OF_VERBS, "obl"), verb)
    return words


def _noun_phrase(draw: random.Random, words: list[Word], relation: str, depth: int) -> int:
    """Adds a noun with what belongs to it; its place, and it hangs on nothing yet."""
    first = len(words)
    words.append(Word(draw.choice(DETERMINERS), "DET", -1, "det"))
    words.extend(Word(draw.choice(ADJECTIVES), "ADJ", -1, "amod") for _ in range(draw.choice((0, 0, 0, 1, 2))))
    noun = len(words)
    for place in range(first, noun):
        _hang(words, place, noun)
    words.append(Word(draw.choice(NOUNS), "NOUN", -1, relation))
    if depth < 2 and draw.random() < 0.35:
        _hang(words, _prepositional(draw, words, OF_NOUNS, "nmod", depth + 1), noun)
    if depth < 2 and draw.random() < 0.15:
        that = len(words)
        words.append(Word("that", "PRON", that + 1, "nsubj"))
        words.append(Word(draw.choice(VERBS), "VERB", noun, "acl"))
        _hang(words, _noun_phrase(draw, words, "obj", depth + 1), that + 1)
    return noun


def _prepositional(
    draw: random.Random, words: list[Word], which: tuple[str, ...], relation: str, depth: int = 2
) -> int:
    """Adds a preposition and its noun; the noun's place."""
    preposition = len(words)
    words.append(Word(draw.choice(which), "ADP", -1, "case"))
    noun = _noun_phrase(draw, words, relation, depth)
    _hang(words, preposition, noun)
    return noun


def _hang(words: list[Word], place: int, head: int) -> None:
    words[place] = words[place]._replace(head=head)
