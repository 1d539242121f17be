"""The commands, from the parser by which the command line is read."""

from __future__ import annotations

import argparse

from iontide.cli.parser import build_parser
from iontide.plots.choices import RUN_KINDS, SWEEP_KINDS
from markdown_tables import code, table


def commands() -> str:
    """A section for each command, with its usage, its arguments and an example."""
    return "\n".join(_section(name, parser, 2) for name, parser in _parsers(build_parser()))


def figure_kinds() -> str:
    """The kinds of figures, of runs and of sweeps, with what each shows."""
    rows = [[of, code(kind), meaning] for of, kinds in _KINDS.items() for kind, meaning in kinds.items()]
    return table(["of", "`--kind`", "shows"], rows)


_KINDS = {"a run": RUN_KINDS, "a sweep": SWEEP_KINDS}


def _subparsers(parser: argparse.ArgumentParser) -> argparse._SubParsersAction | None:
    return next((a for a in parser._actions if isinstance(a, argparse._SubParsersAction)), None)


def _parsers(parser: argparse.ArgumentParser) -> list[tuple[str, argparse.ArgumentParser]]:
    action = _subparsers(parser)
    return list(action.choices.items()) if action else []


def _help_of(parser: argparse.ArgumentParser, name: str) -> str:
    action = _subparsers(parser)
    assert action is not None
    return next((choice.help or "" for choice in action._choices_actions if choice.dest == name), "")


def _section(name: str, parser: argparse.ArgumentParser, level: int, help_text: str = "") -> str:
    help_text = help_text or _help_of(build_parser(), name)
    title = f"{'#' * level} `{parser.prog}` {{ #{parser.prog.replace(' ', '-')} }}"
    parts = [title, f"{_escaped(help_text[:1].upper() + help_text[1:])}."]
    inner = _parsers(parser)
    if not inner:
        formatter = argparse.HelpFormatter(parser.prog, width=96)
        formatter.add_usage(parser.usage, parser._actions, parser._mutually_exclusive_groups)
        parts.append(f"```text\n{formatter.format_help().strip()}\n```")
        rows = [_row(parser, action) for action in parser._actions if action.dest != "help"]
        if rows:
            parts.append(table(["argument", "meaning"], rows))
    if parser.epilog:
        before, colon, example = parser.epilog.rpartition(": iontide ")
        text = f"{before}:" if colon else "Example:"
        parts.append(f"{text}\n\n```sh\n{'iontide ' + example if colon else parser.epilog}\n```")
    parts += [_section(word, sub, level + 1, _help_of(parser, word)) for word, sub in inner]
    return "\n\n".join(parts) + "\n"


def _row(parser: argparse.ArgumentParser, action: argparse.Action) -> list[str]:
    metavar = action.metavar if isinstance(action.metavar, str) else ""
    if not action.option_strings:
        return [code(metavar or action.dest), _meaning(parser, action)]
    choices = "{" + ",".join(map(str, action.choices)) + "}" if action.choices and not metavar else ""
    takes = "" if action.nargs == 0 else f" {metavar or choices or action.dest.upper()}"
    written = ", ".join(action.option_strings) + takes
    return [code(written) + (" (required)" if action.required else ""), _meaning(parser, action)]


def _meaning(parser: argparse.ArgumentParser, action: argparse.Action) -> str:
    text = action.help or ""
    return _escaped(text % {"default": action.default, "prog": parser.prog})


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;").replace("*", "\\*").replace("_", "\\_")
