"""Names for messages: which known name was perhaps meant by a misspelt one, and lists of names."""

from __future__ import annotations

from collections.abc import Iterable

#: Two spellings are alike from this similarity on: twice the letters that they share, over the letters of both.
CUTOFF = 0.6

#: So many letters of a name are compared: the comparison takes time in proportion to their square.
MOST_LETTERS = 80


def nearest(name: object, allowed: Iterable[str], most: int = 1) -> list[str]:
    """Names that are spelt like another one, whatever its case.

    Parameters
    ----------
    name : object
        What was written.
    allowed : iterable of str
    most : int
        Length of the result, at most.

    Returns
    -------
    list of str
        The most similar first; of equally similar ones the first in `allowed` is first. Empty if none is similar.
    """
    from difflib import SequenceMatcher  # slow to import, and needed only for an error

    wanted = str(name)[:MOST_LETTERS].casefold()
    matcher = SequenceMatcher(autojunk=False)
    matcher.set_seq2(wanted)
    similarity: dict[str, float] = {}
    for choice in allowed:
        matcher.set_seq1(choice.casefold())
        if matcher.real_quick_ratio() >= CUTOFF and matcher.quick_ratio() >= CUTOFF and matcher.ratio() >= CUTOFF:
            similarity[choice] = matcher.ratio()
    return sorted(similarity, key=similarity.__getitem__, reverse=True)[: max(most, 0)]


def did_you_mean(name: object, allowed: Iterable[str]) -> str:
    """``; did you mean X?`` if an allowed name is spelt like this one, else an empty text."""
    return suggestion(nearest(name, allowed))


def suggestion(names: Iterable[str]) -> str:
    """``; did you mean X or Y?``, or an empty text if there are no names."""
    choices = " or ".join(names)
    return f"; did you mean {choices}?" if choices else ""


def listed(names: Iterable[str], most: int = 12) -> str:
    """Names with commas, the first `most` of them; ``none`` if there are none."""
    every = list(names)
    return (", ".join(every[:most]) + (", …" if len(every) > most else "")) or "none"
