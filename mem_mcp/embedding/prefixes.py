"""Prefixes: what a model was taught to find before a question, and before a text to be found.

Without them such a model finds clearly less. The defaults are those of the families' model cards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import TypeAlias

from mem_mcp.config.settings import EmbeddingSettings
from mem_mcp.embedding.embedder import Role

Prefixes: TypeAlias = Mapping[Role, str]

_REPRESENT = "Represent this sentence for searching relevant passages: "
_INSTRUCT = (
    "Instruct: Given a web search query, retrieve relevant passages that answer the query\nQuery:"
)
# Parts of models' names in lower case, the first that is found decides; prefixes of questions and
# of texts.
_FAMILIES = {
    r"\be5-.*instruct|gte-qwen": (f"{_INSTRUCT} ", ""),
    r"qwen3-embed": (_INSTRUCT, ""),
    r"\be5-": ("query: ", "passage: "),
    r"nomic-embed-text": ("search_query: ", "search_document: "),
    r"embeddinggemma": ("task: search result | query: ", "title: none | text: "),
    r"bge-(small|base|large)-zh": ("为这个句子生成表示以用于检索相关文章:", ""),
    r"bge-(small|base|large)|mxbai-embed-(2d-)?large": (_REPRESENT, ""),
    r"arctic-embed(2|-[a-z]+-v2)": ("query: ", ""),
    r"arctic-embed": (_REPRESENT, ""),
}


def prefixes(settings: EmbeddingSettings) -> Prefixes:
    """Return what is put before a text of each role: as set, else what the family was taught."""
    name = settings.model.lower()
    found = (pair for family, pair in _FAMILIES.items() if re.search(family, name))
    query, passage = next(found, ("", ""))
    return {
        "query": query if settings.query_prefix is None else settings.query_prefix,
        "passage": passage if settings.passage_prefix is None else settings.passage_prefix,
    }


def identity(model: str, before: Prefixes) -> str:
    """Return the name of a model with its prefixes: other ones make other vectors."""
    both = [before["query"], before["passage"]]
    return f"{model} {json.dumps(both, ensure_ascii=False)}" if any(both) else model
