"""Hook of MkDocs: fills in what is generated from the code, and turns equations into MathML.

A line ``<!-- generated: NAME ARGUMENT … -->`` of a page is replaced by what the function of that name returns.
"""

from __future__ import annotations

import html
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from latex2mathml.converter import convert
from mkdocs.structure.files import File

import api
import command_line
import formula_names
import library
import result_quantities
import scenario_keys
import unit_table

GENERATED: dict[str, Callable[..., str]] = {
    "api": api.members,
    "commands": command_line.commands,
    "figure_kinds": command_line.figure_kinds,
    "formula_names": formula_names.names_by_place,
    "formula_functions": formula_names.functions,
    "formula_places": formula_names.places,
    "scenario_keys": scenario_keys.tables,
    "laws": library.laws,
    "transporters": library.transporters,
    "ions": library.ions,
    "activity_models": library.activity_models,
    "result_quantities": result_quantities.groups,
    "units": unit_table.units,
    "prefixes": unit_table.prefixes,
}

_MARKER = re.compile(r"^<!-- generated: (.*?) -->$", flags=re.MULTILINE)
_EQUATION = re.compile(r'<(span|div) class="arithmatex">(.*?)</\1>', flags=re.DOTALL)
_PICTURE = "images/pump_leak_cell.png"


def on_files(files: Any, config: Any) -> Any:
    """Add the picture that lies with its scenario."""
    source = Path(config["config_file_path"]).parent / "scenarios/cells_and_tissues/pump_leak_cell.png"
    files.append(File.generated(config, _PICTURE, abs_src_path=str(source)))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """Replace the markers of a page."""

    def generate(match: re.Match[str]) -> str:
        name, *arguments = match[1].split()
        return GENERATED[name](*arguments)

    return _MARKER.sub(generate, markdown)


def on_page_content(content: str, **_: Any) -> str:
    """Replace equations by MathML, so that a page needs no script and no network."""

    def equation(match: re.Match[str]) -> str:
        source = html.unescape(match[2]).strip()
        display = "block" if match[1] == "div" else "inline"
        return convert(source[2:-2].strip(), display=display)

    return _EQUATION.sub(equation, content)
