"""Groups of names that are connected with one another."""

from __future__ import annotations

from collections.abc import Iterable


def connected_groups(names: Iterable[str], joins: Iterable[Iterable[str]]) -> list[list[str]]:
    """Names grouped by what joins them, directly or by way of others; a name that nothing joins is a group by itself.

    Parameters
    ----------
    names : iterable of str
        Each once.
    joins : iterable of iterable of str
        Names, of those given, that belong together.

    Returns
    -------
    list of list of str
        Groups by their first member, and the members of each, in the order of ``names``.
    """
    group = {name: {name} for name in names}
    for join in joins:
        first, *others = join
        for other in others:
            a, b = group[first], group[other]
            if a is not b:
                a |= b
                group.update(dict.fromkeys(b, a))
    groups: dict[int, list[str]] = {}
    for name, members in group.items():
        groups.setdefault(id(members), []).append(name)
    return list(groups.values())
