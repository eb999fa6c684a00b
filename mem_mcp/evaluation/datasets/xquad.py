"""XQuAD: parallel paragraphs in several languages, and questions about each.

A folder with a file for each language, such as `de.json`: a list of articles, each a list of
paragraphs, each `{"text": ..., "questions": [...]}`. The files are parallel: the paragraph at a
place says the same in every language. Each language is a user of its own, whose memories are its
paragraphs.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from mem_mcp.errors import InvalidInput
from mem_mcp.evaluation.datasets.dataset import Case, Dataset, RememberCall, first_of, read_json

ENGLISH = "en"


ARTICLE = "article"
"""The metadata field with the number of a paragraph's article, from 1."""


class _Paragraph(BaseModel):
    text: str = Field(min_length=1)
    questions: list[str]


class _Placed(NamedTuple):
    text: str
    questions: list[str]
    article: int


_File = TypeAdapter(list[list[_Paragraph]])
_Paragraphs = Sequence[_Placed]


def load(path: Path, first: int | None = None, seed: int = 0) -> Dataset:  # noqa: ARG001 - a suite's signature
    """Read a folder; a quick run takes the first articles.

    A case's category is the language of the question and that of the paragraphs, as in "de-en".
    """
    files = sorted(path.glob("*.json"))
    if not files:
        raise InvalidInput("data", f"{path} is not a folder with a file such as en.json in it")
    languages = {file.stem: _paragraphs(file, first) for file in files}
    if len({tuple(len(each.questions) for each in some) for some in languages.values()}) > 1:
        raise InvalidInput("data", f"the files in {path} are not parallel")
    calls = tuple(
        RememberCall(
            (_key(language, number),),
            {"content": each.text, "user_id": language, "metadata": {ARTICLE: each.article}},
        )
        for language, paragraphs in languages.items()
        for number, each in enumerate(paragraphs)
    )
    return Dataset(calls, tuple(_cases(languages)))


def _paragraphs(file: Path, first: int | None) -> list[_Placed]:
    try:
        articles = _File.validate_python(read_json(file))[:first]
    except ValidationError as error:
        raise InvalidInput("data", f"{file} is not in XQuAD's format: {first_of(error)}") from error
    return [
        _Placed(paragraph.text, paragraph.questions, number)
        for number, article in enumerate(articles, start=1)
        for paragraph in article
    ]


def _cases(languages: Mapping[str, _Paragraphs]) -> Iterator[Case]:
    for asked, stored in _pairs(list(languages)):
        among = tuple(_key(stored, number) for number in range(len(languages[stored])))
        for number, paragraph in enumerate(languages[asked]):
            for place, question in enumerate(paragraph.questions, start=1):
                yield Case(
                    name=f"{asked}-{stored} {number + 1}.{place}",
                    category=f"{asked}-{stored}",
                    arguments={"query": question, "user_id": stored},
                    relevant=frozenset({_key(stored, number)}),
                    among=among,
                )


def _pairs(languages: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Yield the language of the questions and that of the paragraphs."""
    for language in languages:
        yield language, language
        if language != ENGLISH and ENGLISH in languages:
            yield language, ENGLISH
            yield ENGLISH, language


def _key(language: str, number: int) -> str:
    return f"{language} {number + 1}"
