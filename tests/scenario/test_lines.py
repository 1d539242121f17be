"""Lines of keys: held against a writer that knows where it wrote each key, and against tomllib."""

import re
import tomllib
from datetime import UTC, date, datetime, timedelta, timezone
from functools import partial

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from iontide.scenario.text.key_lines import MAX_DEPTH, key_lines, line_of
from tests.support.effort import grows_in_proportion


def all_paths(value, path=()):
    """Every path of a document that tomllib has read."""
    if isinstance(value, dict):
        children = value.items()
    elif isinstance(value, list):
        children = enumerate(value)
    else:
        return set()
    return {p for key, child in children for p in ({(*path, key)} | all_paths(child, (*path, key)))}


def same(a, b):
    """Equality in which nan equals nan and 1, 1.0 and True differ."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(same(x, y) for x, y in zip(a, b, strict=True))
    return repr(a) == repr(b) if isinstance(a, float) else a == b


class Writer:
    """Writes a document as TOML in random style and records the line of each key.

    A table is a list of *blocks* (header and own entries); blocks of different tables are shuffled into one
    another as far as TOML allows. ``lines`` follows the rule that `key_lines` promises, from where the text
    was put.
    """

    def __init__(self, random):
        self.random = random
        self.parts = []
        self.line = 1
        self.lines = {}

    def maybe(self, chance=0.5):
        return self.random.random() < chance

    def put(self, text):
        self.parts.append(text)
        self.line += text.count("\n")

    def note(self, path):
        self.lines.setdefault(path, self.line)

    def document(self, data):
        entries, blocks = self.split((), data)
        self.entries((), entries)
        for block in blocks:
            block()
        text = "".join(self.parts)
        if self.maybe() and text.endswith("\n"):
            text = text[:-1]
        return text.replace("\n", "\r\n") if self.maybe(0.3) else text

    # --- tables under headers ---

    def split(self, path, table):
        """The entries to write right under the header of `table`, and the blocks for the rest."""
        entries, groups = [], []
        for key, value in table.items():
            tables = isinstance(value, list) and value and all(isinstance(item, dict) for item in value)
            if isinstance(value, dict) and self.maybe(0.6):
                groups.append(self.table_blocks((*path, key), value))
            elif tables and self.maybe(0.6):
                groups.append(self.array_blocks((*path, key), value))
            else:
                entries.append((key, value))
        return entries, self.riffle(groups)

    def riffle(self, groups):
        """The groups shuffled together, each in its own order."""
        turns = [index for index, group in enumerate(groups) for _ in group]
        if self.maybe():
            self.random.shuffle(turns)
        queues = [iter(group) for group in groups]
        return [next(queues[index]) for index in turns]

    def table_blocks(self, path, table):
        entries, blocks = self.split(path, table)
        if not entries and blocks and self.maybe():
            return blocks  # never gets a header of its own
        position = self.random.randint(0, len(blocks)) if self.maybe() else 0  # also after its own children
        blocks.insert(position, partial(self.block, path, entries, "[", "]"))
        return blocks

    def array_blocks(self, path, tables):
        blocks = []
        for index, table in enumerate(tables):
            entries, rest = self.split((*path, index), table)
            blocks += [partial(self.block, (*path, index), entries, "[[", "]]"), *rest]
        return blocks

    def block(self, path, entries, opening, closing):
        self.trivia()
        self.put(self.blanks() + opening + self.blanks())
        keys = [key for key in path if isinstance(key, str)]
        for length in range(1, len(path) + 1):
            self.note(path[:length])
        if opening == "[":
            self.lines[path] = self.line  # its own header counts, even after those of its children
        self.put(self.dotted(keys))
        self.put(self.blanks() + closing)
        self.end_of_line()
        self.entries(path, entries)

    def entries(self, path, entries):
        for keys, value in self.flatten(entries):
            self.trivia()
            self.put(self.blanks())
            self.key_value(path, keys, value)
            self.end_of_line()

    # --- keys ---

    def flatten(self, entries):
        """Entries as (keys, value), some tables taken apart into dotted keys."""
        groups = []
        for key, value in entries:
            if isinstance(value, dict) and value and self.maybe():
                groups.append([((key, *keys), leaf) for keys, leaf in self.flatten(list(value.items()))])
            else:
                groups.append([((key,), value)])
        return self.riffle(groups)

    def key_value(self, path, keys, value):
        for length in range(1, len(keys) + 1):
            self.note((*path, *keys[:length]))
        self.put(self.dotted(keys) + self.blanks() + "=" + self.blanks())
        self.value((*path, *keys), value)

    def dotted(self, keys):
        return self.random.choice([".", ".", " . ", "\t."]).join(self.key(key) for key in keys)

    def key(self, key):
        if re.fullmatch(r"[A-Za-z0-9_-]+", key) and self.maybe(0.8):
            return key
        if printable(key) and "'" not in key and self.maybe():
            return f"'{key}'"
        return f'"{self.escaped(key)}"'

    # --- values ---

    def value(self, path, value):
        if isinstance(value, dict):
            self.inline_table(path, value)
        elif isinstance(value, list):
            self.array(path, value)
        elif isinstance(value, str):
            self.put(self.string(value))
        elif isinstance(value, bool):
            self.put("true" if value else "false")
        elif isinstance(value, int):
            self.put(self.integer(value))
        elif isinstance(value, float):
            self.put(self.float(value))
        else:
            self.put(self.moment(value))

    def inline_table(self, path, table):
        self.put("{" + self.blanks())
        for index, (keys, value) in enumerate(self.flatten(list(table.items()))):
            self.put(("," if index else "") + self.blanks())
            self.key_value(path, keys, value)
            self.put(self.blanks())
        self.put("}")

    def array(self, path, items):
        spread = self.maybe()
        self.put("[")
        for index, item in enumerate(items):
            self.space(spread)
            self.note((*path, index))
            self.value((*path, index), item)
            self.space(spread)
            if index < len(items) - 1 or self.maybe():
                self.put(",")
        self.space(spread)
        self.put("]")

    def integer(self, value):
        if value >= 0 and self.maybe(0.3):
            return self.random.choice([f"0x{value:X}", f"0o{value:o}", f"0b{value:b}", f"+{value}"])
        return f"{value:_}" if self.maybe() else str(value)

    def float(self, value):
        if value != value:
            return self.random.choice(["nan", "+nan"])
        return repr(value)

    def moment(self, value):
        text = value.isoformat()
        if isinstance(value, datetime):
            text = text.replace("T", self.random.choice(["T", "t", " "]))
            if text.endswith("+00:00") and self.maybe():
                text = text[:-6] + self.random.choice("Zz")
        return text

    def string(self, value):
        styles = [self.basic, self.multiline_basic]
        if printable(value) and "'" not in value:
            styles.append(lambda value: f"'{value}'")
        if printable(value.replace("\n", "")) and "'''" not in value:
            styles.append(lambda value: f"'''{self.opening_newline(value)}{value}'''")
        return self.random.choice(styles)(value)

    def basic(self, value):
        return f'"{self.escaped(value)}"'

    def multiline_basic(self, value):
        text = ""
        quotes = 0  # so many unescaped ones in a row; two may stand, even before the closing three
        for index, character in enumerate(value):
            if character == '"' and quotes < 2 and self.maybe(0.8):
                text, quotes = text + '"', quotes + 1
                continue
            raw = character == "\n" and self.maybe(0.8)
            text, quotes = text + ("\n" if raw else self.escaped(character)), 0
            # A backslash that ends a line takes all white space after it, so none of the text may follow.
            if self.maybe(0.2) and value[index + 1 : index + 2] not in (" ", "\t", "\n"):
                text += "\\\n" + self.random.choice(["", "  ", "\n \t\n"])
        return '"""' + self.opening_newline(text) + text + '"""'

    def opening_newline(self, text):
        # One right after the opening quotes does not count; so one that counts must be the second.
        return "\n" if text.startswith("\n") or self.maybe(0.3) else ""

    def escaped(self, text):
        named = {"\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r", '"': '\\"', "\\": "\\\\"}
        result = ""
        for character in text:
            if character in named and self.maybe(0.8):
                result += named[character]
            elif character in named or not printable(character) or self.maybe(0.1):
                code = ord(character)
                result += f"\\u{code:04X}" if code < 0x10000 and self.maybe() else f"\\U{code:08x}"
            else:
                result += character
        return result

    # --- what lies between ---

    def blanks(self):
        return self.random.choice(["", "", " ", "\t", "  "])

    def comment(self):
        return "#" + self.random.choice(
            ["", " note", " [table]", ' key = "', " '''", ' """', " ] } ,", " \\", " é\u2028\x85"]
        )

    def space(self, spread):
        self.put(self.blanks())
        while spread and self.maybe():
            self.put((self.comment() if self.maybe(0.3) else "") + "\n" + self.blanks())

    def trivia(self):
        while self.maybe(0.3):
            self.put(self.blanks() + (self.comment() if self.maybe() else "") + "\n")

    def end_of_line(self):
        self.put(self.blanks() + (self.comment() if self.maybe(0.3) else "") + "\n")


def printable(text):
    """Whether `text` may stand unescaped on one line."""
    return not any((ord(character) < 0x20 and character != "\t") or ord(character) == 0x7F for character in text)


# What breaks scanners, often; any other character, now and then.
CHARACTERS = st.one_of(
    st.sampled_from(list("ab1. \t\n\r\"'\\#[]{}=,-_+:")),
    st.sampled_from(["\x00", "\x7f", "\x85", "\u2028", "é", "µ", "😀", "\ufeff"]),
    st.characters(exclude_categories=["Cs"]),
)
ENDS = st.sampled_from(["", "", "", '"', '""', "'", "''"])  # quotes before closing quotes are the hard case
TEXTS = st.builds(str.__add__, st.text(CHARACTERS, max_size=8), ENDS)
KEYS = st.one_of(st.sampled_from(["a", "b", "K", "1", "-", "0x1", "true", "inf"]), TEXTS)
ZONES = st.sampled_from([None, UTC, timezone(timedelta(hours=-7, minutes=-30))])
SCALARS = st.one_of(
    TEXTS,
    st.booleans(),
    st.integers(-(2**63), 2**63 - 1),
    st.floats(),
    st.dates(min_value=date(1000, 1, 1)),
    st.times(),
    st.datetimes(min_value=datetime(1000, 1, 1), timezones=ZONES),
)
VALUES = st.recursive(
    SCALARS,
    lambda children: st.one_of(
        st.lists(children, max_size=4),
        st.dictionaries(KEYS, children, max_size=4),
        st.lists(st.dictionaries(KEYS, children, max_size=3), min_size=1, max_size=3),
    ),
    max_leaves=12,
)
DOCUMENTS = st.dictionaries(KEYS, VALUES, max_size=5)


@given(DOCUMENTS, st.randoms(use_true_random=False))
@settings(max_examples=200, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_key_is_found_on_the_line_where_it_was_written(data, random):
    writer = Writer(random)
    text = writer.document(data)
    read = tomllib.loads(text)
    assert same(read, data), text  # or else the writer is wrong
    lines = key_lines(text)
    assert set(lines) == all_paths(read), text
    assert lines == writer.lines, text


SCENARIO = """title = "Ouabain"      # 1
[parameters]
pump_rate = "1.4e-6 mol/m^2/s"

[compartments.cell]        # 5
concentrations = { K = "140 mM", Na = "10 mM" }

[membranes.plasma]
inside = "cell"
permeability = { K = "P_K" }

[membranes.plasma.pathways.Na]
gates.m = { steady = "1", alpha = "2" }
gates.n = { speed = 3 }

[[protocol]]               # 16
set = { "parameters.pump_rate" = "0 mol/m^2/s" }
[[protocol]]
times = [
  "1 s",                   # 20
  "2 s", "3 s",
]
"""


def test_a_scenario():
    lines = key_lines(SCENARIO)
    assert lines[("title",)] == 1
    assert lines[("parameters", "pump_rate")] == 3
    assert lines[("compartments",)] == lines[("compartments", "cell")] == 5
    assert lines[("compartments", "cell", "concentrations", "Na")] == 6
    assert lines[("membranes", "plasma", "permeability", "K")] == 10
    pathway = ("membranes", "plasma", "pathways", "Na")
    assert lines[(*pathway, "gates")] == lines[(*pathway, "gates", "m", "alpha")] == 13
    assert lines[(*pathway, "gates", "n", "speed")] == 14
    assert lines[("protocol",)] == lines[("protocol", 0)] == 16
    assert lines[("protocol", 0, "set", "parameters.pump_rate")] == 17
    assert lines[("protocol", 1)] == 18
    assert [lines[("protocol", 1, "times", index)] for index in range(3)] == [20, 21, 21]


# Name: document, its paths in dotted notation with their lines.
NASTY = {
    "empty": ("", {}),
    "comment without line end": ("# only", {}),
    "keys that look like values": (
        "1 = 1\ntrue = 2\n1979-05-27 = 3\n3.14 = 4\n-_ = 5\n[e]\n[inf]",
        {
            ("1",): 1,
            ("true",): 2,
            ("1979-05-27",): 3,
            ("3",): 4,
            ("3", "14"): 4,
            ("-_",): 5,
            ("e",): 6,
            ("inf",): 7,
        },
    ),
    "empty keys": (
        '"" = 1\n[a."".b]\n\'\' = 2',
        {("",): 1, ("a",): 2, ("a", ""): 2, ("a", "", "b"): 2, ("a", "", "b", ""): 3},
    ),
    "quoted header": (
        '\n[ "a.b]" \t. \'c\\]\' . "\\u00e9\\"" ] # ]\nx=1',
        {("a.b]",): 2, ("a.b]", "c\\]"): 2, ("a.b]", "c\\]", 'é"'): 2, ("a.b]", "c\\]", 'é"', "x"): 3},
    ),
    "quotes at the end": (
        'a = """x"""""\nb = """"""\nc = """\\""""\nd = """\n"" "" """\ne = 1',
        {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4, ("e",): 6},
    ),
    "apostrophes at the end": (
        "a = '''x'''''\nb = ''''''\nc = '''\\'''\nd = '''\n'' '' '''\ne = 'C:\\'\nf = 1",
        {("a",): 1, ("b",): 2, ("c",): 3, ("d",): 4, ("e",): 6, ("f",): 7},
    ),
    "text that looks like TOML": (
        'a = """\n[x]\ny = 1 # """\nb = "# [z] = \\" {"\n[c]',
        {("a",): 1, ("b",): 4, ("c",): 5},
    ),
    "line-ending backslash": ('a = """x \\\r\n   \\\n y"""\r\nb = 1', {("a",): 1, ("b",): 4}),
    "separators that are no line ends": ("a = '\u2028\x85'\n# \u2029\nb = 1", {("a",): 1, ("b",): 3}),
    "scalars": (
        "a = [ 1_000, -inf,\n+nan, 1979-05-27 07:32:00, 07:32:00.5, 1e6 ]\nb = 1979-05-27T07:32:00Z #\nc=1",
        {("a",): 1, ("a", 0): 1, ("a", 1): 1, ("a", 2): 2, ("a", 3): 2, ("a", 4): 2, ("a", 5): 2}
        | {("b",): 3, ("c",): 4},
    ),
    "header after its children": (
        "[a.b.c]\n[a.d]\n[a]\nx.y = 1\nx.z = 2\n[a.b]",
        {("a",): 3, ("a", "b"): 6, ("a", "b", "c"): 1, ("a", "d"): 2}
        | {("a", "x"): 4, ("a", "x", "y"): 4, ("a", "x", "z"): 5},
    ),
    "arrays of tables in arrays of tables": (
        "[[a]]\n[[a.b]]\n[[a.b]]\n[a.b.c]\n[[a]]\n[[a.b]]\nx = 1",
        {("a",): 1, ("a", 0): 1, ("a", 0, "b"): 2, ("a", 0, "b", 0): 2, ("a", 0, "b", 1): 3}
        | {
            ("a", 0, "b", 1, "c"): 4,
            ("a", 1): 5,
            ("a", 1, "b"): 6,
            ("a", 1, "b", 0): 6,
            ("a", 1, "b", 0, "x"): 7,
        },
    ),
    "tables in arrays": (
        "a = [ # ]\n  { x = [\n1 ] }, {}, # }\n  [], [[ ]\n]\n]\nb = 1",
        {("a",): 1, ("a", 0): 2, ("a", 0, "x"): 2, ("a", 0, "x", 0): 3, ("a", 1): 3, ("a", 2): 4, ("a", 3): 4}
        | {("a", 3, 0): 4, ("b",): 7},
    ),
}


def test_nasty_documents(subtests):
    for name in NASTY:
        with subtests.test(name=name):
            text, expected = NASTY[name]
            assert set(expected) == all_paths(tomllib.loads(text))  # or else the example is wrong
            assert key_lines(text) == expected
            windows = text.replace("\r\n", "\n").replace("\n", "\r\n")
            assert key_lines(windows) == expected


def test_line_of_the_deepest_part_that_is_written():
    lines = key_lines("[a]\nb = [\n1,\n2]\n[c]")
    assert line_of(lines, ("a", "b", 1)) == 4
    assert line_of(lines, ["a", "b", 7, "x"]) == 2
    assert line_of(lines, ("a", "missing")) == 1
    assert line_of(lines, ("missing", "b")) == 0
    assert line_of(lines, ()) == 0


# Documents in which so many tables and arrays lie within one another.
DEEP = {
    "arrays": lambda depth: "x = " + "[" * depth + "]" * depth,
    "values in arrays": lambda depth: "x = " + "[" * depth + "1" + "]" * depth,
    "inline tables": lambda depth: "x = " + "{x = " * (depth - 1) + "{}" + "}" * (depth - 1),
    "headers": lambda depth: "[" + ".".join("x" * depth) + "]\ny = 1",
    "dotted keys": lambda depth: ".".join("x" * depth) + ".y = 1",
    "dotted keys in a table": lambda depth: "[x]\n" + ".".join("x" * (depth - 1)) + ".y = 1",
    "dotted keys in an inline table": lambda depth: "x = {" + ".".join("x" * (depth - 1)) + ".y = 1}",
}


def test_depth_is_capped_with_a_sentence(subtests):
    for kind in DEEP:
        with subtests.test(kind=kind):
            deepest = DEEP[kind](MAX_DEPTH)
            assert set(key_lines(deepest)) == all_paths(tomllib.loads(deepest))
            for depth in (MAX_DEPTH + 1, 100_000):
                with pytest.raises(ValueError, match=r"^Line \d: tables and arrays are nested more than 100 deep; .*"):
                    key_lines(DEEP[kind](depth))


LONG = {
    "keys": lambda size: "".join(f"k{index} = 1\n" for index in range(size // 10)),
    "comments": lambda size: "#\n" * (size // 2),
    "line ends in an array": lambda size: "x = [" + "\n" * size + "]",
    "elements": lambda size: "x = [" + "1," * (size // 2) + "]",
    "arrays": lambda size: "x = [" + "[]," * (size // 3) + "]",
    "tables": lambda size: "[[x]]\n" * (size // 6),
    "escapes": lambda size: 'x = "' + "\\\\" * (size // 2) + '"',
    "quotes": lambda size: 'x = """' + '"" ' * (size // 3) + '"""',
    "string without end": lambda size: 'x = """' + '\\"" ' * (size // 4),
    "key without value": lambda size: "a" * size,
    "blanks without key": lambda size: "x" + " " * size,
}


@pytest.mark.parametrize("kind", LONG)
def test_long_documents_take_time_in_proportion(kind):
    texts = {size: LONG[kind](size) for size in (10_000, 160_000)}

    def scan(size):
        try:
            key_lines(texts[size])
        except ValueError:
            assert "without" in kind

    assert grows_in_proportion(scan, 10_000, 160_000)


@given(st.lists(st.sampled_from([*"ab1 .\n\"'\\#[]{}=,", '"""', "[["]), max_size=40).map("".join))
@settings(max_examples=300, deadline=None)
def test_text_that_is_not_toml_ends_in_a_map_or_a_value_error(text):
    try:
        expected = all_paths(tomllib.loads(text))
    except tomllib.TOMLDecodeError:
        expected = None
    try:
        lines = key_lines(text)
    except ValueError:
        assert expected is None
    else:
        assert expected is None or set(lines) == expected
