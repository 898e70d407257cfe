"""Movie titles: years and articles as catalogs write them, and the normalized form in which titles are compared."""

from __future__ import annotations

import re
import unicodedata

ARTICLES = (
    "The A An Le La Les L' Un Une Des Il Lo I Gli Uno Una El Los Las Der Die Das Den Det De Het Een Ein Eine "
    "O Os As Um Uma En Ett"
).split()
"""Articles that MovieLens puts behind a title: "Matrix, The"."""

_YEAR = r"(?:18|19|20)\d\d"
_ANY_YEAR = re.compile(rf"\b{_YEAR}\b")
_YEAR_IN_BRACKETS = re.compile(rf"^(?P<title>.*?)\s*\(\s*(?P<year>{_YEAR})\s*(?:[-–]\s*(?:\d{{4}})?\s*)?\)\s*$", re.S)
_YEAR_AT_END = re.compile(rf"^(?P<title>.*\S)\s+(?P<year>{_YEAR})$", re.S)
_TRAILING_ARTICLE = re.compile(
    rf",\s+(?P<article>{'|'.join(re.escape(a) for a in sorted(ARTICLES, key=len, reverse=True))})"
    r"(?=\s*(?:$|\(|\)))",
    re.IGNORECASE,
)
_AKA = re.compile(r"^a\.?k\.?a\.?\s+", re.IGNORECASE)
_PUNCTUATION = re.compile(r"[^\w\s]|_")
_LEADING_ARTICLE = re.compile(r"^(?:the|a|an)\s+(?=\S)")


def parse_year(value: object) -> int | None:
    """The first year from 1800 to 2099 in a value such as "1995", "1995-11-22" or "01-Jan-1995"; else None."""
    match = _ANY_YEAR.search("" if value is None else str(value))
    return int(match[0]) if match else None


def split_year(title: str) -> tuple[str, int | None]:
    """Split "Matrix, The (1999)" into ("Matrix, The", 1999); (title, None) without a year in brackets at the end."""
    match = _YEAR_IN_BRACKETS.match(title.strip())
    if match is None or not match["title"]:
        return title.strip(), None
    return match["title"].strip(), int(match["year"])


def split_typed_year(text: str) -> tuple[str, int | None]:
    """As `split_year`, but the year needs no brackets: people type "sabrina 1954"."""
    title, year = split_year(text)
    if year is None and (match := _YEAR_AT_END.match(title)):
        return match["title"], int(match["year"])
    return title, year


def article_first(title: str) -> str:
    """Turn "Matrix, The" into "The Matrix", and likewise a title in brackets at its end."""

    def move_article(part: str) -> str:
        match = _TRAILING_ARTICLE.search(part)
        if match is None or part[match.end() :].strip():
            return part
        article, rest = match["article"], part[: match.start()]
        return f"{article}{rest}" if article.endswith("'") else f"{article} {rest}"

    if ", " not in title:
        return title
    outside, bracket, inside = title.partition(" (")
    if not bracket or not title.endswith(")"):
        return move_article(title)
    return f"{move_article(outside)} ({move_article(inside[:-1])})"


def split_names(title: str) -> tuple[str, list[str]]:
    """The part of a title before the first bracket and the names in brackets, without "a.k.a.".

    >>> split_names("The Professional (a.k.a. Leon: The Professional) (Léon)")
    ('The Professional', ['Leon: The Professional', 'Léon'])
    """
    outside, bracket, inside = title.partition(" (")
    if not bracket:
        return title, []
    parts = (part.strip().rstrip(")").strip() for part in inside.split("("))
    return outside, [_AKA.sub("", part) for part in parts]


def search_key(text: str) -> str:
    """A title in the form in which titles are compared: no case, accents, punctuation or leading English article."""
    plain = article_first(text)
    if plain.isascii():
        plain = plain.casefold()
    else:
        plain = unicodedata.normalize("NFKD", plain).casefold()
        plain = "".join(c for c in plain if not unicodedata.combining(c))
    plain = _PUNCTUATION.sub(" ", plain.replace("&", " and ").replace("'", "").replace("’", ""))
    plain = " ".join(plain.split())
    return _LEADING_ARTICLE.sub("", plain)


def search_keys(title: str) -> tuple[str, set[str]]:
    """The key of a whole title and the keys of its parts: "Seven (Se7en)" is also called "Seven" and "Se7en"."""
    outside, inside = split_names(title)
    return search_key(title), {search_key(part) for part in (outside, *inside)} if inside else set()
