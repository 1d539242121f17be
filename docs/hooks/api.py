"""The public names of the package, each with the place of its docstring."""

from __future__ import annotations

import inspect

import iontide


def members(*names: str) -> str:
    """A directive of mkdocstrings for each public name."""
    return "\n\n".join(_member(name) for name in names) + "\n"


def _member(name: str) -> str:
    value = getattr(iontide, name)
    where = f"{value.__module__}.{value.__qualname__}"
    options = ["show_root_heading: true", "heading: iontide." + name, "toc_label: " + name]
    if inspect.isclass(value):
        options += ["merge_init_into_class: true", "members_order: source"]
    return "\n".join([f"::: {where}", "    options:", *(f"      {option}" for option in options)])
