"""References as the sources of laws, data and scenarios write them, read into records and written as BibTeX.

A source text is a list of references separated by semicolons, each of the form ``Authors Year, Journal volume:pages,
doi:… (remark)``, ``Authors, Title, Year`` or ``Authors Year, Title``, with parts missing. What has neither a year nor a
DOI nor an address is a remark.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from hashlib import sha256

_DOI = re.compile(r"doi:(10\.\d+/[^\s{}]+)")
_ADDRESS = re.compile(r"(?:https?://)?(?:www\.)?((?:github|gitlab)\.com/[^\s,;(){}]+)")
_REMARK = re.compile(r"\s*\((?:[^()]|\([^()]*\))*\)\s*$")
_YEAR = r"(?:1[6-9]|20)\d\d"
_AFTER_AUTHORS = re.compile(rf"^(?P<authors>[^\d]+?)\s+(?P<year>{_YEAR})(?:\s*\([A-Z]+\))?(?:,\s*(?P<rest>.+))?$")
_AFTER_TITLE = re.compile(
    rf"^(?P<authors>[^,\d]+),\s+(?P<title>[^\d]+?),?\s+\(?(?P<year>{_YEAR})\)?(?:,\s*(?P<rest>.+))?$"
)
_JOURNAL = re.compile(
    r"^(?P<journal>[^\d:]+?)\s+(?P<volume>[A-Za-z]?\d+):(?P<pages>[A-Za-z]?\d+)(?:,\s*(?P<rest>.+))?$"
)
#: A work that the field cites without authors and year.
_HANDBOOK = "CRC Handbook of Chemistry and Physics"

#: Words before the first author, as in "the form of Luo & Rudy".
_LEADING = re.compile(r"^(?:(?!(?:van|von|de|der|den|la|du|da)\b)[a-z]+\s+)+")
#: Letters that have no decomposition into a base letter and an accent: as BibTeX writes them, and in a key.
_LETTERS = {
    "ø": ("{\\o}", "o"),
    "Ø": ("{\\O}", "O"),
    "æ": ("{\\ae}", "ae"),
    "Æ": ("{\\AE}", "AE"),
    "ß": ("{\\ss}", "ss"),
}
_LETTERS |= {"å": ("{\\aa}", "a"), "Å": ("{\\AA}", "A"), "ł": ("{\\l}", "l"), "Ł": ("{\\L}", "L"), "ı": ("{\\i}", "i")}
_ACCENTS = {"\u0300": "`", "\u0301": "'", "\u0302": "^", "\u0303": "~", "\u0308": '"', "\u030c": "v", "\u0327": "c"}
_ACCENTS |= {"\u0304": "=", "\u0306": "u", "\u0307": ".", "\u030a": "r", "\u030b": "H", "\u0328": "k"}
_SPECIAL = {"\\": "\\textbackslash{}", "~": "\\textasciitilde{}", "^": "\\textasciicircum{}"}
_SPECIAL |= {character: "\\" + character for character in "&%$#_"}
# A brace counts as one for BibTeX even behind a backslash.
_SPECIAL |= {"{": "\\textbraceleft{}", "}": "\\textbraceright{}"}
_SPECIAL |= {"–": "--", "—": "---", "−": "$-$", "μ": "$\\mu$", "µ": "$\\mu$", "’": "'"}


@dataclass(frozen=True)
class Reference:
    """One reference; what its text does not give is empty.

    Attributes
    ----------
    authors : str
        As written: ``Hodgkin & Katz``, ``Cressman et al.``.
    year, title, journal, volume, pages, doi, url, note : str
    """

    authors: str = ""
    year: str = ""
    title: str = ""
    journal: str = ""
    volume: str = ""
    pages: str = ""
    doi: str = ""
    url: str = ""
    note: str = ""

    @property
    def first_author(self) -> str:
        """Surname of the first author, ASCII and lower case; else the title, the end of the address, or the DOI."""
        first = re.split(r",| & | et al| and ", self.authors.strip("{}"))[0]
        if self.authors.startswith("{"):  # an organisation
            first = ""
        # Initials before a surname do not count.
        words = [word for word in first.split() if not word.endswith(".")] or [
            self.title.split(":")[0] or self.url.split("/")[-1] or self.doi
        ]
        return re.sub(r"[^a-z0-9]", "", _ascii(" ".join(words)).lower())


def parse_source(text: str) -> tuple[list[Reference], list[str]]:
    """The references in a source text, and the remarks in it that are no reference."""
    references, remarks = [], []
    for piece in _pieces(text):
        reference = _parse(piece)
        if reference is None:
            remarks.append(piece)
        else:
            references.append(reference)
    return references, remarks


def _pieces(text: str) -> list[str]:
    """Text split at semicolons that are outside of parentheses and not part of a DOI."""
    pieces, depth, start = [], 0, 0
    for place, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if character == ";" and depth <= 0 and text[place + 1 : place + 2] in (" ", ""):
            pieces.append(text[start:place])
            start, depth = place + 1, 0
    return [piece.strip() for piece in (*pieces, text[start:]) if piece.strip()]


def _parse(piece: str) -> Reference | None:
    doi = _DOI.search(piece)
    address = None if doi else _ADDRESS.search(piece)
    body = piece if doi is None else piece[: doi.start()]
    body = _REMARK.sub("", body).strip(" ,.") if address is None else ""
    body = _LEADING.sub("", body)
    reference = Reference(
        doi=doi[1].rstrip(".,;") if doi else "",
        url=f"https://{address[1].rstrip('.')}" if address else "",
        note=_REMARK.sub("", piece[address.end() :]).strip(" ,.") if address else "",
    )
    titled = _AFTER_TITLE.match(body) if re.search(rf",\s+{_YEAR}|\({_YEAR}\)", body) else None
    match = titled or _AFTER_AUTHORS.match(body)
    if match is None and body.startswith(_HANDBOOK):
        return replace(reference, title=_HANDBOOK, note=body.removeprefix(_HANDBOOK).strip(" ,"))
    if match is None:
        return reference if reference.doi or reference.url else None
    reference = replace(reference, authors=match["authors"].strip(" ,"), year=match["year"])
    if titled:
        return replace(reference, title=titled["title"], note=titled["rest"] or "")
    rest = match["rest"] or ""
    journal = _JOURNAL.match(rest)
    if journal:
        return replace(reference, journal=journal["journal"], volume=journal["volume"], pages=journal["pages"])
    title, _, note = rest.partition(", ")
    return replace(reference, title=title, note=note) if not reference.doi else replace(reference, note=rest)


def merge(references: Iterable[Reference]) -> list[Reference]:
    """Each reference once, with the fields that any of its mentions gives; in the order of the first mentions."""
    merged: list[Reference] = []
    for reference in references:
        place = next((i for i, other in enumerate(merged) if same(other, reference)), None)
        if place is None:
            merged.append(reference)
        else:
            merged[place] = joined(merged[place], reference)
    return merged


def same(one: Reference, other: Reference) -> bool:
    """Whether two records are of one work: the same DOI, or authors and year that nothing contradicts."""
    if one.doi and other.doi:
        return one.doi.lower() == other.doi.lower()
    if one.url or other.url:
        return one.url == other.url
    if not one.authors and not other.authors and one.title:
        return one.title == other.title
    if not (one.year or one == other) or (one.first_author, one.year) != (other.first_author, other.year):
        return False
    place = [(one.volume, other.volume), (one.pages, other.pages), (one.title, other.title)]
    return all(not a or not b or a == b for a, b in place)


def joined(one: Reference, other: Reference) -> Reference:
    """The fields of the first, and where it has none those of the second; of two lists of authors the longer."""
    fields = {name: value or getattr(other, name) for name, value in vars(one).items()}
    fields["authors"] = max(one.authors, other.authors, key=lambda text: (" et al" not in text, len(text)))
    return Reference(**fields)


def keys_of(references: Iterable[Reference], reserved: Mapping[str, Reference]) -> list[str]:
    """A key for each reference: author and year; where another work has that key, with a suffix from its own data.

    Parameters
    ----------
    references : iterable of Reference
    reserved : mapping of str to Reference
        Keys of the works that the library names, which they keep whatever else is cited.
    """
    taken: dict[str, Reference] = dict(reserved)
    keys = []
    for reference in references:
        key = next((key for key, other in reserved.items() if same(other, reference)), None)
        if key is None:
            key = reference.first_author + reference.year
            if key in taken:
                key += "_" + _digest(reference)
            taken[key] = reference
        keys.append(key)
    return keys


def library_keys(references: Iterable[Reference]) -> dict[str, Reference]:
    """Keys of works that are known beforehand; of several with one author and year, each has a suffix."""
    works = merge(references)
    plain = [work.first_author + work.year for work in works]
    return {
        key if plain.count(key) == 1 else f"{key}_{_digest(work)}": work for key, work in zip(plain, works, strict=True)
    }


def _digest(reference: Reference) -> str:
    """Four letters that depend on nothing but the work."""
    identity = reference.doi.lower() or "|".join(vars(reference).values())
    return sha256(identity.encode()).hexdigest()[:4]


def bibtex(key: str, reference: Reference) -> str:
    """The BibTeX entry of a reference."""
    kind = "article" if reference.journal else "book" if reference.title and not reference.url else "misc"
    kind = "misc" if reference.authors.startswith("{") else kind
    fields = {
        "author": " and ".join(_authors(reference.authors)),
        "title": f"{{{latex(reference.title)}}}" if reference.title else "",
        "journal": latex(reference.journal),
        "volume": reference.volume,
        "pages": reference.pages,
        "year": reference.year,
        "doi": reference.doi,
        "url": reference.url,
        "note": latex(reference.note),
    }
    lines = [f"  {name} = {{{value}}}," for name, value in fields.items() if value]
    return "\n".join([f"@{kind}{{{key},", *lines, "}"])


def _authors(written: str) -> list[str]:
    if written.startswith("{"):  # an organisation
        return [written]
    text = re.sub(r",?\s+et al\.?$", " & others", written)
    return [latex(name.strip()) for name in re.split(r",| & | and ", text) if name.strip()]


def latex(text: str) -> str:
    """Text as BibTeX takes it: special characters escaped, letters with accents as commands."""
    written = []
    for character in text:
        decomposed = unicodedata.normalize("NFD", character)
        base, marks = decomposed[0], decomposed[1:]
        if character in _LETTERS:
            written.append(_LETTERS[character][0])
        elif len(marks) == 1 and marks[0] in _ACCENTS:
            accent = _ACCENTS[marks[0]]
            written.append(f"{{\\{accent}{{{base}}}}}" if accent.isalpha() else f"{{\\{accent}{base}}}")
        else:
            written.append(_SPECIAL.get(character, character))
    return "".join(written)


def _ascii(text: str) -> str:
    text = "".join(_LETTERS.get(character, ("", character))[1] for character in text)
    return unicodedata.normalize("NFD", text).encode("ascii", "ignore").decode()
