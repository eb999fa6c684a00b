"""Which words of a question a text has, as recall compares them."""

from mem_mcp.ranking.text_analysis import terms, words

_MOST = 20


def shared_words(query: str, text: str, language: str = "") -> list[str]:
    """Return the words of a question that a text has in some form, as the question writes them.

    Args:
        query: The question; of a long one the first words that are shared.
        text: Any text.
        language: Of both, where their own words do not tell: an ISO 639-1 code.
    """
    own = terms(query, language, asked=True)
    language = own.language or language
    asked, has = {*own.ids.tolist()}, {*terms(text, language).ids.tolist()}
    both, found = asked & has, list[str]()
    for word in dict.fromkeys(words(query)):
        if both & {*terms(word, language).ids.tolist()}:
            found.append(word)
        if len(found) == _MOST:
            break
    return found
