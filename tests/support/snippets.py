"""The snippets of the documentation, read from Markdown and executed.

A page is executed from top to bottom in an empty folder that has the shipped scenarios in it. A comment before a
fence says what the block is:

``<!-- scenario NAME -->``
    the shipped scenario of that name, whole but for its title, description and source.
``<!-- add to NAME -->``, ``<!-- add to NAME as FILE -->``
    tables that are merged into the shipped scenario of that name, which must then be valid; with a FILE, written to it.
``<!-- file FILE -->``
    a whole file, which is written; a scenario must be valid.
``<!-- invalid file FILE -->``
    a scenario file with faults, which is written.
``<!-- lines of PATH -->``
    lines of a file of the repository.
``<!-- exit code N -->``
    commands that end with this code in place of 0.
``<!-- parsed only -->``
    commands that need a cluster: their arguments are parsed, and nothing is run.

Without a comment: ``sh`` and ``console`` are commands (of the latter the output is compared, ``…`` standing for
anything), ``python`` is executed, ``pycon`` is a doctest, ``text`` is not code.
"""

from __future__ import annotations

import contextlib
import doctest
import io
import json
import re
import shlex
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import iontide
from iontide.cli import main
from iontide.cli.parser import build_parser
from iontide.equations.initial_state import check_start
from tests.support.paths import ROOT, SCENARIO_FILES

_FENCE = re.compile(
    r"^(?P<indent> *)(?:<!-- (?P<directive>[^>]*?) -->\n\s*)?```(?P<language>\w*)\n(?P<body>.*?)^(?P=indent)```$",
    flags=re.MULTILINE | re.DOTALL,
)

#: Commands of the shell that prepare an environment; the tests run within one.
_PREPARATION = ("python3 -m venv", "pip install", "git clone", "cd ", ". .venv", "python -m pytest", "dask ", "mkdocs ")


@dataclass(frozen=True)
class Snippet:
    """One fenced block: its page, its first line, its language, the comment before it, its text."""

    page: Path
    line: int
    language: str
    directive: str
    body: str

    def __str__(self) -> str:
        return f"{self.page.relative_to(ROOT)}:{self.line}"


def snippets_of(page: Path) -> Iterator[Snippet]:
    """The fenced blocks of a page, in order."""
    text = page.read_text(encoding="utf-8")
    for match in _FENCE.finditer(text):
        line = text.count("\n", 0, match.start("body"))
        body = re.sub(rf"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
        yield Snippet(page, line, match["language"], match["directive"] or "", body)


def run_page(page: Path, folder: Path) -> None:
    """Execute the snippets of a page in a folder, which is the working folder already."""
    (folder / "scenarios").symlink_to(ROOT / "scenarios")
    names: dict[str, Any] = {}
    for snippet in snippets_of(page):
        _run_of(snippet)(snippet, folder, names)


def _run_of(snippet: Snippet) -> Callable[[Snippet, Path, dict[str, Any]], None]:
    kind = snippet.directive.split(" ")[0]
    if kind in _BY_DIRECTIVE:
        return _BY_DIRECTIVE[kind]
    assert kind in ("", "exit", "parsed"), f"{snippet}: unknown directive {snippet.directive!r}"
    assert snippet.language in _BY_LANGUAGE, f"{snippet}: a block of {snippet.language!r} needs a directive"
    return _BY_LANGUAGE[snippet.language]


def _compare_scenario(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    shipped = SCENARIO_FILES[snippet.directive.split(" ")[1]].read_text(encoding="utf-8")
    first = snippet.body.splitlines()[0]
    assert snippet.body.strip() == shipped[shipped.index(first) :].strip(), snippet


def _compare_lines(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    path = snippet.directive.split(" ")[2]
    assert f"\n{snippet.body}" in "\n" + (ROOT / path).read_text(encoding="utf-8"), f"{snippet}: not lines of {path}"


def _write_file(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    path = folder / snippet.directive.split(" ")[1]
    path.write_text(snippet.body, encoding="utf-8")
    if path.suffix == ".toml" and "scenario" not in tomllib.loads(snippet.body):
        _validate(snippet, snippet.body)


def _write_invalid(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    with pytest.raises(iontide.ScenarioError):
        iontide.loads(snippet.body)
    (folder / snippet.directive.split(" ")[2]).write_text(snippet.body, encoding="utf-8")


def _add(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    _, _, base, *rest = snippet.directive.split(" ")
    shipped = SCENARIO_FILES[base].read_text(encoding="utf-8")
    text = toml_text(_merged(tomllib.loads(shipped), tomllib.loads(snippet.body)))
    _validate(snippet, text)
    if rest:
        (folder / rest[1]).write_text(text, encoding="utf-8")


def _validate(snippet: Snippet, text: str) -> None:
    try:
        check_start(iontide.loads(text).model)
    except iontide.IontideError as error:
        raise AssertionError(f"{snippet}: {error}") from None


def _merged(base: Any, added: Any) -> Any:
    """Tables merged key by key, lists of tables joined, anything else replaced."""
    if isinstance(base, dict) and isinstance(added, dict):
        return base | {key: _merged(base[key], value) if key in base else value for key, value in added.items()}
    if isinstance(base, list) and isinstance(added, list) and all(isinstance(entry, dict) for entry in added):
        return base + added
    return added


def toml_text(tables: dict[str, Any]) -> str:
    """A scenario as TOML, each top-level key on a line of its own."""
    return "".join(f"{key} = {_inline(value)}\n" for key, value in tables.items())


def _inline(value: Any) -> str:
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{json.dumps(key)} = {_inline(entry)}" for key, entry in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(_inline, value)) + "]"
    return json.dumps(value, ensure_ascii=False)


def _run_commands(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    for command, expected in _commands(snippet):
        for part in command.split(" && "):
            _run_command(snippet, part.strip().removeprefix(".venv/bin/"), expected)


def _commands(snippet: Snippet) -> Iterator[tuple[str, list[str]]]:
    """Each command with the lines of output that are shown after it."""
    body = snippet.body.replace("\\\n", " ")
    if snippet.language == "sh":
        lines = (re.sub(r"\s+#.*$", "", line) for line in body.splitlines())
        yield from ((line, []) for line in lines if line and not line.startswith("#"))
        return
    for block in re.split(r"^\$ ", body, flags=re.MULTILINE)[1:]:
        command, *output = block.splitlines()
        yield command, [line for line in output if line.strip()]


def _run_command(snippet: Snippet, command: str, expected: list[str]) -> None:
    if command.startswith(_PREPARATION):
        return
    arguments = shlex.split(command)
    assert arguments[0] == "iontide", f"{snippet}: {command}"
    if snippet.directive == "parsed only":
        build_parser().parse_args(arguments[1:])
        return
    wanted = int(snippet.directive.split(" ")[2]) if snippet.directive.startswith("exit code") else 0
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), contextlib.redirect_stderr(printed):
        try:
            code = main(arguments[1:])
        except SystemExit as exit_:
            code = int(exit_.code or 0)
    assert code == wanted, f"{snippet}: {command}: exit code {code}\n{printed.getvalue()}"
    for line in printed.getvalue().splitlines():
        if re.fullmatch(r"\S+\.(?:h5|pdf|svg|png|csv)", line):  # the name of a file that was written
            assert Path(line).stat().st_size > 0, f"{snippet}: {command}: {line}"
    shown = [" ".join(line.split()) for line in expected]
    given = " ".join(printed.getvalue().split())
    pattern = ".*?".join(".*?".join(map(re.escape, line.split("…"))) for line in shown)
    assert re.search(pattern, given, flags=re.DOTALL), f"{snippet}: {command}\nprinted:\n{printed.getvalue()}"


def _run_python(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    code = compile("\n" * snippet.line + snippet.body, str(snippet.page), "exec")
    exec(code, names)


def _run_doctest(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    test = doctest.DocTestParser().get_doctest(snippet.body, names, str(snippet), str(snippet.page), snippet.line)
    report = io.StringIO()
    runner = doctest.DocTestRunner(optionflags=doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE)
    runner.run(test, out=report.write, clear_globs=False)
    names.update(test.globs)
    assert not runner.failures, report.getvalue()


def _show(snippet: Snippet, folder: Path, names: dict[str, Any]) -> None:
    """Text that is not code."""


_BY_DIRECTIVE = {"scenario": _compare_scenario, "lines": _compare_lines, "file": _write_file, "add": _add}
_BY_DIRECTIVE["invalid"] = _write_invalid
_BY_LANGUAGE = {
    "sh": _run_commands,
    "console": _run_commands,
    "python": _run_python,
    "pycon": _run_doctest,
    "text": _show,
}
