"""bAbI: the released format read into arrays, where its files are found, and stories read in order."""

from __future__ import annotations

import functools
import re
import tarfile
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import gymnasium as gym
import numpy as np
import pytest

from glimpse_env import GlimpseEnv, GlimpseVectorEnv, babi, babi_files
from glimpse_env.babi import QUESTIONS, Stories, load_babi, parse
from glimpse_env.backend import get_backend
from glimpse_env.notices import say_once
from glimpse_env.tasks.babi import Babi
from glimpse_env.text import PADDING, UNKNOWN, Vocabulary, tokenize

STORY = """\
1 Mary moved to the bathroom.
2 John took the apple there.
3 Where is Mary? \tbathroom\t1
4 Mary went back to the garden.
5 What is John carrying? \tapple,Football\t2 4
1 John is in the park.
2 Where is John?\tpark\t1
"""


def stories_of(count: int, place: str = "park") -> str:
    """A file of `count` stories of one sentence and one question."""
    return "".join(f"1 John is in the {place}.\n2 Where is John? \t{place}\t1\n" for _ in range(count))


def write(folder: Path, train: str = stories_of(20), test: str = STORY, task: int = 1) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"qa{task}_a-name_train.txt").write_text(train)
    (folder / f"qa{task}_a-name_test.txt").write_text(test)
    return folder


def pack(path: Path, folder: Path, name: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, f"w:{path.suffix[1:]}") as archive:
        archive.add(folder, name)
    return path


def sentences(data: Stories, question: int) -> list[str]:
    rows = data.lines[data.start[question] :][: data.length[question]]
    return [data.vocabulary.decode(data.sentences[row]) for row in rows]


@pytest.fixture
def alone(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A cache that is empty, no mirror, no GLIMPSE_DATA, and nothing remembered."""
    monkeypatch.delenv("GLIMPSE_DATA", raising=False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(babi_files, "cache_folder", lambda name: tmp_path / "cache" / name)
    monkeypatch.setattr(babi_files, "MIRRORS", ())
    for cached in (babi_files.find_files, babi_files._fetch, babi._assemble):
        cached.cache_clear()
    return tmp_path / "cache" / "babi" / "tasks_1-20_v1-2.tar.gz"


# ---- words


def test_words_are_lower_case_and_end_without_a_full_stop() -> None:
    assert tokenize("Mary moved  to the bathroom.") == ["mary", "moved", "to", "the", "bathroom"]
    assert tokenize("Where is Mary? ") == ["where", "is", "mary", "?"]
    assert tokenize("") == []


def test_a_vocabulary_encodes_and_decodes() -> None:
    words = Vocabulary(["mary", "is", "here", "?"])
    assert len(words) == 6
    assert words.encode("Is Mary here?", 6).tolist() == [3, 2, 4, 5, PADDING, PADDING]
    assert words.encode(["john", "is"]).tolist() == [UNKNOWN, 3]
    assert words.decode(words.encode("Is Mary there?", 9)) == "is mary <unknown> ?"
    assert words.encode("").shape == (0,)
    assert Vocabulary(words.words) == words
    assert words != Vocabulary(["mary"])
    assert "mary" in words
    assert "john" not in words
    with pytest.raises(ValueError, match="4 words do not fit into 3: 'is mary here \\?'"):
        words.encode("Is Mary here?", 3)
    with pytest.raises(ValueError, match="names each word once"):
        Vocabulary(["mary", "mary"])


# ---- the format


def test_a_question_is_asked_of_the_sentences_before_it() -> None:
    rows: dict[str, int] = {}
    lines, asked = parse(STORY, "a file", rows)
    text = list(rows)
    assert [text[row] for row in lines] == [
        "Mary moved to the bathroom.", "John took the apple there.", "Mary went back to the garden.",
        "John is in the park.",
    ]  # fmt: skip
    assert [text[question.question] for question in asked] == [
        "Where is Mary?", "What is John carrying?", "Where is John?",
    ]  # fmt: skip
    # (story, first line, lines, answer, supporting lines from 0): line 3 is a question, so that ID 4 is line 2.
    assert [(q.story, q.start, q.length, q.answer, q.support) for q in asked] == [
        (0, 0, 2, "bathroom", (0,)), (0, 0, 3, "apple,football", (1, 2)), (1, 3, 1, "park", (0,)),
    ]  # fmt: skip


def test_a_question_without_its_mark_gets_one() -> None:
    rows: dict[str, int] = {}
    parse("1 Mary yahan hai\n2 Mary kahan hai\tyahan\t1\n", "a file", rows)
    assert list(rows) == ["Mary yahan hai", "Mary kahan hai?"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a file asks nothing: it is empty or damaged"),
        ("1 Mary is here.\n", "a file asks nothing"),
        ("1 Mary is here.\n3 Where is Mary?\there\t1\n", 'a file, line 2: expected "2 text" or "1 text", got "?\'3 Wh'),
        ("2 Mary is here.\n", 'line 1: expected "1 text"'),
        ("Mary is here.\n", "line 1: .*got 'Mary is here.'"),
        ("1\n", 'line 1: expected "1 text" or "1 text", got \'1\''),
        ("1 Mary is here.\n2 Where is Mary?\there\t3\n", "line 2: '3' is no sentence of the story before it"),
        ("1 Mary is here.\n2 Is she?\tyes\t1\n3 Where?\there\t2\n", "line 3: '2' is no sentence"),
        ("1 Mary is here.\n1 Where is Mary?\there\t1\n", "line 2: a question is"),
        ("1 Where is Mary?\there\t\n", "line 1: a question is"),
        ("1 Mary is here.\n2 Where is Mary?\t\t1\n", "line 2: a question is"),
        ("1 Mary is here.\n2 Where is Mary?\there\t1\t1\n", "line 2: a question is"),
    ],
    ids=str,
)
def test_a_damaged_file_is_named_with_the_line(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        parse(text, "a file", {})


def test_the_arrays_of_a_small_set(tmp_path: Path) -> None:
    data = load_babi(1, data=write(tmp_path, train=stories_of(20)))
    assert data.vocabulary.words[2:] == ("?", "in", "is", "john", "park", "the", "where")
    assert data.answers == ("park",)
    assert np.bincount(data.split).tolist() == [18, 2, 3]
    assert np.flatnonzero(data.split == 1).tolist() == [9, 19]
    assert data.sentences.dtype == np.int32
    test = np.flatnonzero(data.split == 2)
    assert sentences(data, test[2]) == ["john is in the park"]
    assert sentences(data, test[0])[0] == "<unknown> <unknown> <unknown> the <unknown>"
    assert data.answer[test].tolist() == [-1, -1, 0]  # what only the test file has is never right
    assert data.length[test].tolist() == [2, 3, 1]
    assert data.support[test].tolist() == [[0, -1], [1, 2], [0, -1]]
    assert not any(array.flags.writeable for array in data if isinstance(array, np.ndarray))


def test_a_trained_agents_words_and_answers_can_be_used(tmp_path: Path) -> None:
    words, answers = ("?", "park", "john", "moon"), ("moon", "park")
    data = load_babi(1, data=write(tmp_path), vocabulary=words, answers=answers)
    assert data.vocabulary == Vocabulary(words)
    assert data.answers == answers
    assert data.answer[data.split == 0].tolist() == [1] * 18
    again = load_babi(1, data=tmp_path, vocabulary=data.vocabulary.words, answers=answers)
    assert again.vocabulary == data.vocabulary


# ---- where files are found


@pytest.mark.parametrize("place", ["en", "babi/en", "tasks_1-20_v1-2/en", "babi/tasks_1-20_v1-2/en"])
def test_a_folder_is_found_by_name_or_by_the_variable(
    place: str, tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(tmp_path / "data" / place)
    for data in (tmp_path / "data", folder):
        assert set(load_babi(1, data=data).sources.values()) == {str(folder)}
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "data"))
    assert set(load_babi(1).sources.values()) == {str(folder)}


@pytest.mark.parametrize("kind", ["gz", "xz"])
@pytest.mark.parametrize("inside", ["tasks_1-20_v1-2/en-10k", "en-10k"])
def test_an_archive_is_found_too(
    kind: str, inside: str, tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    archive = pack(tmp_path / "data" / "babi" / f"some.tar.{kind}", write(tmp_path / "files"), inside)
    for data in (archive, archive.parent, tmp_path / "data"):
        assert load_babi(1, "10k", data=str(data)).sources == {"qa1_train": str(archive), "qa1_test": str(archive)}
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "data"))
    assert set(load_babi(1, "10k").sources.values()) == {str(archive)}
    with pytest.raises(FileNotFoundError, match="has no bAbI files for en: it must hold en/qa1"):
        load_babi(1, "1k", data=archive)


@pytest.mark.parametrize("language", ["hn", "shuffled"])
def test_another_language_is_read_and_not_generated(language: Any, tmp_path: Path, alone: Path) -> None:
    write(tmp_path / f"{language}-10k", train=stories_of(10, "bageeche"))
    assert load_babi(1, "10k", language, tmp_path).answers == ("bageeche",)
    for size in ("1k", "10k"):
        with pytest.raises(FileNotFoundError):
            load_babi(2, size, language, tmp_path)
    with pytest.raises(
        FileNotFoundError,
        match=f"the train file of task 1 for {language} is nowhere, nor at a mirror: set GLIMPSE_DATA",
    ):
        load_babi(1, "1k", language)


def test_as_many_training_questions_are_generated(tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert QUESTIONS["100k"] == 100_000
    monkeypatch.setitem(QUESTIONS, "100k", 2_000)
    folder = write(tmp_path / "data" / "en-10k", task=1)
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "data"))
    released, data = load_babi(1, "10k"), load_babi(1, "100k")
    assert data.sources == {"qa1_train": "generator", "qa1_test": str(folder)}
    assert (data.split != 2).sum() == 2_000
    assert (data.split == 2).sum() == (released.split == 2).sum()


def test_one_missing_file_is_generated_alone_and_that_is_said(
    tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    folder = write(tmp_path / "data" / "en", task=6)
    (folder / "qa6_a-name_train.txt").unlink()
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "data"))
    data = load_babi(6)
    assert data.sources == {"qa6_test": str(folder), "qa6_train": "generator"}
    assert np.bincount(data.split)[2] == 3
    assert (data.split < 2).sum() == 1000
    assert data.answers == ("no", "yes")
    load_babi(6)
    assert [record.getMessage() for record in caplog.records] == [
        f"bAbI: {folder} lacks qa6_train: generated in place of it"
    ]
    assert GlimpseEnv("Babi-v0", task=6).metadata["source"] == f"{folder} (qa6_test), generator (qa6_train)"


def test_nothing_is_generated_in_place_of_files_that_are_named(tmp_path: Path) -> None:
    write(tmp_path, task=6)
    (tmp_path / "qa6_a-name_train.txt").unlink()
    for task in (6, "joint"):
        with pytest.raises(FileNotFoundError, match=r"lacks the training file of task 6, qa6_…_train\.txt"):
            load_babi(task, data=tmp_path)
    with pytest.raises(ValueError, match='"100k" is generated, and data= are files of your own'):
        load_babi(6, "100k", data=tmp_path)
    trained = {"vocabulary": ("?", "park", "john"), "answers": ("park",)}
    assert load_babi(6, data=tmp_path, **trained).sources == {"qa6_test": str(tmp_path)}
    with pytest.raises(ValueError, match=f"task 6 has no train questions in {tmp_path}: it lacks the file"):
        GlimpseEnv("Babi-v0", task=6, data=tmp_path, **trained)
    other = write(tmp_path / "other", task=6)
    (other / "qa6_a-name_test.txt").unlink()
    assert GlimpseEnv("Babi-v0", task=6, data=other).metadata["source"] == str(other)
    with pytest.raises(ValueError, match=f"task 6 has no test questions in {other}: it lacks the file"):
        GlimpseEnv("Babi-v0", task=6, data=other, split="test")


def test_without_files_all_tasks_are_generated(alone: Path, caplog: pytest.LogCaptureFixture) -> None:
    say_once.cache_clear()
    data = load_babi(20)
    assert "all questions are generated" in caplog.text
    assert set(data.sources.values()) == {"generator"}
    assert len(data.sources) == 40
    assert np.bincount(data.task)[1:].tolist() == [2000] * 20
    assert (data.split == 2).sum() == 20_000
    assert load_babi("joint") is data  # so that the spaces are those of every task
    train, test = (
        {sentences(data, q)[0] for q in np.flatnonzero((data.task == 2) & (data.split == s))} for s in (0, 2)
    )
    assert train != test


def test_a_mirror_is_asked_once_and_its_archive_kept(
    alone: Path, tmp_path: Path, serve: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = pack(tmp_path / "whole.tar.gz", write(tmp_path / "files"), "tasks_1-20_v1-2/en").read_bytes()
    broken, good = serve({"a.tar.gz": b"<html>Moved</html>"}), serve({"b.tar.gz": whole})
    monkeypatch.setattr(babi_files, "MIRRORS", (f"{broken}a.tar.gz", f"{good}b.tar.gz"))
    assert load_babi(1).sources == {"qa1_train": str(alone), "qa1_test": str(alone)}
    assert alone.read_bytes() == whole
    assert [path.name for path in alone.parent.iterdir()] == [alone.name]
    asked = len(serve.requests[good])
    babi_files.find_files.cache_clear()
    babi._assemble.cache_clear()
    load_babi(1)
    assert len(serve.requests[good]) == asked


def test_what_cannot_be_found_or_read_is_told(tmp_path: Path, alone: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(FileNotFoundError, match="does not exist: name a folder or an archive"):
        load_babi(1, data=tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(FileNotFoundError, match="has no bAbI files for en-10k"):
        load_babi(1, "10k", data=tmp_path / "empty")
    monkeypatch.setenv("GLIMPSE_DATA", str(tmp_path / "nowhere"))
    with pytest.raises(FileNotFoundError, match=r"GLIMPSE_DATA names .*nowhere, which is not a folder"):
        load_babi(1)
    write(tmp_path / "far")
    (tmp_path / "far" / "qa21_new_test.txt").write_text(STORY)
    with pytest.raises(ValueError, match="names task 21, but bAbI has the tasks 1 to 20"):
        load_babi(1, data=tmp_path / "far")
    write(tmp_path / "twice")
    (tmp_path / "twice" / "qa1_other_test.txt").write_text(STORY)
    with pytest.raises(ValueError, match="holds two files of task 1, test: remove one"):
        load_babi(1, data=tmp_path / "twice")
    write(tmp_path / "binary")
    (tmp_path / "binary" / "qa1_a-name_test.txt").write_bytes(b"1 \xff\xfe")
    with pytest.raises(ValueError, match=r"qa1_a-name_test.txt in .*binary is damaged, it is not text"):
        load_babi(1, data=tmp_path / "binary")
    write(tmp_path / "wrong", test="1 Mary is here.\n")
    with pytest.raises(ValueError, match=r"qa1_test in .*wrong asks nothing"):
        load_babi(1, data=tmp_path / "wrong")


@pytest.mark.parametrize("kind", ["gz", "xz"])
def test_a_damaged_archive_is_named(kind: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    text = "".join(stories_of(1, "".join(rng.choice(list("abcdefgh"), 9))) for _ in range(3000))
    archive = pack(tmp_path / f"some.tar.{kind}", write(tmp_path / "files", train=text), "en")
    content = archive.read_bytes()
    middle = len(content) // 2
    for number, damaged in enumerate((content[:middle], content[:middle] + b"\x55" * 99 + content[middle + 99 :], b"")):
        bad = tmp_path / f"{number}.tar.{kind}"
        bad.write_bytes(damaged)
        with pytest.raises(ValueError, match=rf"{number}.tar.{kind} is no tar archive or damaged .*replace it"):
            load_babi(1, data=bad)


@pytest.mark.parametrize(
    ("kwargs", "message"),
    [
        ({"task": 0}, 'task must be 1 to 20 or "joint", got 0'),
        ({"task": 21}, "got 21"),
        ({"task": True}, "got True"),
        ({"task": "all"}, "got 'all'"),
        ({"task": 1.0}, "got 1.0"),
        ({"size": "5k"}, """size must be "1k", "10k" or "100k", got '5k'"""),
        ({"size": "100k", "language": "hn"}, "in English only"),
        ({"language": "fr"}, """language must be "en", "hn" or "shuffled", got 'fr'"""),
        ({"split": "dev"}, "unknown split 'dev'; it is one of train, validation, test"),
        ({"order": "sorted"}, """order must be "random" or "sequential", got 'sorted'"""),
        ({"vocabulary": ["a", "a"]}, "names each word once"),
    ],
    ids=str,
)
def test_what_is_no_choice_is_refused(kwargs: dict[str, Any], message: str, babi_folder: str) -> None:
    for face in (GlimpseEnv, GlimpseVectorEnv):
        with pytest.raises(ValueError, match=message):
            face("Babi-v0", data=babi_folder, **kwargs)


def test_too_few_stories_for_a_split_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"task 1 has no validation questions in .*: a training file of ten stories"):
        GlimpseEnv("Babi-v0", data=write(tmp_path, train=stories_of(9)), split="validation")


# ---- the released files


def test_the_released_files_have_their_published_structure(real_babi: str) -> None:
    data = load_babi("joint", data=real_babi)
    assert [int(((data.task == task) & (data.split == 2)).sum()) for task in range(1, 21)] == [1000] * 20
    assert (data.split < 2).sum() == 20_000
    lengths = [data.length[(data.task == task) & (data.split == 2)] for task in range(1, 21)]
    assert [round(float(length.mean()), 1) for length in lengths] == [
        6.0, 15.4, 51.0, 2.0, 19.9, 6.2, 8.1, 8.8, 6.0, 6.0, 6.0, 6.0, 6.0, 7.8, 8.0, 9.0, 2.0, 6.1, 5.0, 5.9,
    ]  # fmt: skip
    assert [length.max() for length in lengths] == [
        10, 88, 228, 2, 94, 14, 34, 58, 10, 10, 10, 10, 10, 14, 8, 9, 2, 15, 5, 12,
    ]  # fmt: skip
    learnt = [data.answer[(data.task == task) & (data.split < 2)] for task in range(1, 21)]
    assert [len(np.unique(answer)) for answer in learnt] == [
        6, 6, 6, 6, 7, 2, 4, 13, 2, 3, 6, 6, 6, 6, 4, 4, 2, 2, 12, 7,
    ]  # fmt: skip
    assert not (data.sentences == UNKNOWN).any()
    assert data.sentences.shape[1] == 12
    folder = Path(real_babi, "babi", "en")
    text = "\n".join(path.read_text().lower() for path in folder.glob("qa*.txt"))
    assert set(data.vocabulary.words[2:]) == {"?", *re.findall("[a-z]+", text)}
    assert len(data.vocabulary) == 2 + 156 + 1


def test_the_supporting_lines_are_as_far_back_as_published(real_babi: str) -> None:
    """The oldest needed sentence: median, 99th percentile and maximum of how far back it lies."""
    data = load_babi("joint", data=real_babi)
    published = {
        1: (1, 4, 4),
        2: (4, 15, 22),
        3: (6, 24, 39),
        5: (1, 4, 4),
        6: (1, 4, 4),
        11: (1, 5, 5),
        20: (2, 9, 10),
    }
    for task, expected in published.items():
        rows = (data.task == task) & (data.split == 2)
        oldest = np.where(data.support[rows] < 0, data.length[rows, None], data.support[rows]).min(axis=1)
        back = data.length[rows] - 1 - oldest
        assert tuple(int(np.percentile(back, share)) for share in (50, 99, 100)) == expected
    for task, facts in {1: 1, 2: 2, 3: 3, 4: 1, 11: 2, 12: 1, 16: 3, 19: 2}.items():
        assert set((data.support[data.task == task] >= 0).sum(axis=1)) == {facts}


def controls(data: Stories, task: int) -> dict[str, float]:
    """What simple rules score on the test questions, in percent: see the test below."""
    words = [tuple(data.vocabulary.words[number] for number in row if number) for row in data.sentences]
    learn, test = (np.flatnonzero((data.task == task) & part) for part in (data.split < 2, data.split == 2))
    answer = [data.answers[number] for number in data.answer]
    common = Counter(answer[q] for q in learn).most_common(1)[0][0]
    of_text: dict[int, Counter[str]] = defaultdict(Counter)
    for q in learn:
        of_text[data.question[q]][answer[q]] += 1
    known = {answer[q] for q in learn}

    def story(q: int) -> list[tuple[str, ...]]:
        """Latest sentence first."""
        return [words[row] for row in data.lines[data.start[q] :][: data.length[q]]][::-1]

    def last_answer(q: int) -> str:
        return next((word for line in story(q) for word in line[::-1] if word in known), common)

    def last_shared(q: int) -> str:
        asked = set(words[data.question[q]]) - {"where", "what", "is", "was", "did", "to", "the", "of", "?"}
        line = next((line for line in story(q) if asked & set(line)), ())
        return next((word for word in line[::-1] if word in known and word not in asked), common)

    rules = {
        "majority": lambda q: common,
        "text": lambda q: (of_text[data.question[q]] or Counter([common])).most_common(1)[0][0],
        "last": last_answer,
        "shared": last_shared,
    }
    return {name: round(100 * float(np.mean([rule(q) == answer[q] for q in test])), 1) for name, rule in rules.items()}


def test_simple_rules_score_what_is_published(real_babi: str) -> None:
    """Rules that need all of the parser right: answers, questions, the order of lines and which come before."""
    data = load_babi("joint", data=real_babi)
    scores = [controls(data, task) for task in range(1, 21)]
    assert [score["majority"] for score in scores] == [
        18.7, 18.7, 18.5, 17.1, 18.9, 49.7, 48.8, 33.6, 63.8, 43.7, 18.7, 15.2, 15.4, 16.2, 21.3, 23.6, 52.0, 46.9,
        8.1, 18.0,
    ]  # fmt: skip
    assert [score["text"] for score in scores] == [
        15.5, 19.0, 20.6, 19.1, 34.5, 49.4, 48.9, 33.6, 61.7, 42.9, 17.5, 17.4, 15.6, 22.2, 21.1, 25.2, 48.8, 92.4,
        8.7, 72.1,
    ]  # fmt: skip
    last = {1: 52.7, 2: 39.9, 3: 14.0, 4: 12.8, 8: 49.1, 11: 75.1, 12: 77.2, 13: 94.4, 14: 25.0, 15: 19.3, 16: 49.6}
    assert {task: scores[task - 1]["last"] for task in last} == last
    shared = {1: 100.0, 2: 18.7, 3: 18.5, 4: 66.2, 11: 0.0, 12: 100.0, 13: 0.0, 16: 23.6}
    assert {task: scores[task - 1]["shared"] for task in shared} == shared


def test_no_story_is_in_two_splits_of_the_released_files(real_babi: str) -> None:
    data = load_babi("joint", data=real_babi)
    starts = [set(data.start[data.split == split].tolist()) for split in range(3)]
    assert not starts[0] & starts[1]
    assert not starts[2] & (starts[0] | starts[1])
    assert [int(((data.task == task) & (data.split == 1)).sum()) for task in (1, 4, 15)] == [100, 100, 100]


def test_the_spaces_are_those_of_every_task(real_babi: str) -> None:
    make = functools.partial(GlimpseEnv, "Babi-v0", data=real_babi)
    joint = make(task="joint")
    for kwargs in ({"task": 1}, {"task": 19, "split": "test"}, {"task": 3, "split": "validation"}):
        env = make(**kwargs)
        assert (env.observation_space, env.action_space) == (joint.observation_space, joint.action_space)
        assert env.task.vocabulary == joint.task.vocabulary  # type: ignore[attr-defined]


def test_ten_thousand_questions_with_one_file_generated(real_babi: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GLIMPSE_DATA", real_babi)
    data = load_babi(3, "10k")
    if data.sources["qa3_train"] != "generator":
        pytest.skip("here the file of task 3 is there")
    assert [name for name, source in data.sources.items() if source == "generator"] == ["qa3_train"]
    assert np.bincount(data.task)[1:].tolist() == [11_000] * 20
    small = load_babi("joint", data=real_babi)
    assert data.vocabulary == small.vocabulary
    assert set(small.answers) <= set(data.answers)


# ---- the environment


def make_task(folder: str | Path, **kwargs: Any) -> Babi:
    return Babi(get_backend("numpy"), data=folder, **kwargs)


def test_a_story_is_read_in_order_and_then_the_question_answered(tmp_path: Path) -> None:
    env = GlimpseEnv("Babi-v0", data=write(tmp_path, train=STORY * 5), order="sequential", render_mode="ansi")
    words, answers = env.task.vocabulary, env.task.answer_names  # type: ignore[attr-defined]
    observation, info = env.reset(seed=0, options={"episode": 1})
    assert info == {"target": answers.index("apple,football"), "task": 1, "length": 4}
    right, wrong = ({"answer": answers.index(name)} for name in ("apple,football", "park"))
    seen, rewards = [words.decode(observation["tokens"])], []
    for answer in (right, wrong, right):
        observation, reward, terminated, _, info = env.step(answer)
        seen.append(words.decode(observation["tokens"]))
        rewards.append(reward)
        assert not terminated
        assert info["correct"] == (answer is right)
    assert seen == [
        "mary moved to the bathroom", "john took the apple there", "mary went back to the garden",
        "what is john carrying ?",
    ]  # fmt: skip
    assert env.render() == "\n".join(
        [
            "bAbI task 1, single supporting fact",
            *(f"  {n + 1} {line}" for n, line in enumerate(seen[:3])),
            f"    {seen[3]}",
        ]
    )
    _, reward, terminated, _, info = env.step(right)
    assert (rewards, reward, terminated, info["is_success"]) == ([0, 0, 0], 1, True, True)
    assert str(env.render()).endswith("\n    answer: apple,football (right)")
    env.reset(options={"episode": 1})
    results = [env.step(wrong) for _ in range(4)]
    assert [result[1] for result in results] == [0] * 4
    assert str(env.render()).endswith("\n    answer: park (wrong, it is apple,football)")


def test_only_the_question_has_its_mark(babi_folder: str) -> None:
    task = make_task(babi_folder)
    mark = task.vocabulary.encode("?")[0]
    state = task.begin(np.zeros(64, np.int64), np.arange(64))
    lengths = task.lengths(np.zeros(64, np.int64), np.arange(64))
    np.testing.assert_array_equal(task.info(state)["length"], lengths)
    assert len(np.unique(lengths)) == 4
    for time in range(1, task.horizon + 1):
        asked = (task.observe(state)["tokens"] == mark).any(axis=1)
        np.testing.assert_array_equal(asked, time >= lengths)
        outcome = task.act(state, {"answer": np.zeros(64, np.int64)})
        np.testing.assert_array_equal(outcome.terminated, time >= lengths)
        state = outcome.state


def test_an_unknown_answer_is_never_right(tmp_path: Path) -> None:
    env = GlimpseEnv("Babi-v0", data=write(tmp_path), split="test", order="sequential", render_mode="ansi")
    _, info = env.reset(seed=0)
    assert info["target"] == -1
    for _ in range(3):
        _, reward, terminated, _, info = env.step({"answer": 0})
    assert (reward, terminated, info["is_success"]) == (0, True, False)
    assert str(env.render()).endswith("answer: park (wrong, it is an answer that is not known)")


def test_joint_episodes_are_of_all_tasks_alike(real_babi: str) -> None:
    task = make_task(real_babi, task="joint", split="test")
    state = task.begin(np.full(20_000, 3), np.arange(20_000))
    shares = np.bincount(task.info(state)["task"], minlength=21)[1:] / 1000
    assert (np.abs(shares - 1) < 0.15).all()
    assert 12_000 < len(np.unique(state["index"])) < 13_300  # 20,000 (1 - 1/e) = 12,642
    in_turn = make_task(real_babi, task="joint", split="test", order="sequential")
    assert len(np.unique(in_turn.begin(np.full(20_000, 3), np.arange(20_000))["index"])) == 20_000


def test_the_supporting_lines_can_be_asked_for(tmp_path: Path) -> None:
    task = make_task(write(tmp_path, train=STORY * 5), order="sequential")
    story = task.story(np.zeros(3, np.int64), np.arange(3))
    assert story.support.tolist() == [[0, -1], [1, 2], [0, -1]]
    assert story.count.tolist() == [2, 3, 1]
    assert [task.answer_names[target] for target in story.target] == ["bathroom", "apple,football", "park"]
    assert task.vocabulary.decode(story.question[0]) == "where is mary ?"
    assert [task.vocabulary.decode(line) for line in story.tokens[2]] == ["john is in the park", "", ""]


def test_the_tasks_number_is_an_argument_beside_the_rows_name(tmp_path: Path) -> None:
    folder = write(tmp_path, task=7)
    for env in (
        gym.make("glimpse_env:Glimpse/Babi-v0", task=7, data=str(folder)),
        gym.make_vec("glimpse_env:Glimpse/Babi-v0", num_envs=2, task=7, data=str(folder)),
    ):
        assert np.all(env.reset(seed=0)[1]["task"] == 7)
