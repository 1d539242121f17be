"""The table ``[sweep]`` of a scenario file or a plan file: what is varied and how."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BeforeValidator, Discriminator, Field, Tag

from .fields import Table
from .quantity_kinds import Kind

#: Any value that ``--set`` takes at a path.
VALUE = Kind("a value", None, "140 mM")

Value = Annotated[str | float, VALUE]

#: Names of the designs, which choose the points of a plan.
DESIGNS = ("grid", "zip", "list", "random", "latin_hypercube", "sobol", "saltelli")

#: Most points of one sweep.
MOST_POINTS = 10**8

#: Most values of a linear or logarithmic axis.
MOST_LEVELS = 10**6

#: Most points that are computed and written together.
MOST_IN_BLOCK = 16384


def _form(value: Any) -> str:
    """Whether values are given as a list or by a rule."""
    return "table" if isinstance(value, dict | Table) else "list"


def _listed(value: Any) -> Any:
    """Allow a single entry without a list."""
    return [value] if isinstance(value, str) else value


def _one_or_list(schema: dict[str, Any]) -> None:
    """Let the JSON Schema of a list of texts allow one text."""
    several = {"type": schema.pop("type"), "items": schema.pop("items")}
    schema["anyOf"] = [{"type": "string"}, several]


class SpreadTable(Table):
    """Values by a rule: evenly spaced, or sampled from a distribution."""

    noun: ClassVar[str] = "an axis"

    linear: Annotated[list[Value] | None, Field(description="First and last value, evenly spaced between")] = None
    log: Annotated[list[Value] | None, Field(description="First and last value, evenly spaced in the logarithm")] = None
    points: Annotated[
        int | None, Field(ge=2, le=MOST_LEVELS, description="How many values a linear or log axis has")
    ] = None
    uniform: Annotated[list[Value] | None, Field(description="Least and largest value of a distribution")] = None
    log_uniform: Annotated[
        list[Value] | None, Field(description="Least and largest value, the logarithm evenly distributed")
    ] = None
    normal: Annotated[list[Value] | None, Field(description="Mean and standard deviation")] = None
    log_normal: Annotated[
        list[Value] | None, Field(description="Median and the factor by which one standard deviation multiplies it")
    ] = None
    within: Annotated[list[Value] | None, Field(description="Least and largest value: truncates a distribution")] = None


Factors = Annotated[
    Annotated[list[Value], Tag("list")] | Annotated[SpreadTable, Tag("table")],
    Discriminator(_form),
]


class AxisTable(SpreadTable):
    """The values over which one path is varied."""

    times: Annotated[Factors | None, Field(description="Factors, by which the scenario's own value is multiplied")] = (
        None
    )


AxisValues = Annotated[
    Annotated[list[Value], Tag("list")] | Annotated[AxisTable, Tag("table")],
    Discriminator(_form),
]


class SweepTable(Table):
    """Many points: the varied paths, how the points are chosen, and the outputs of each point."""

    noun: ClassVar[str] = "[sweep]"

    vary: Annotated[
        dict[str, AxisValues],
        Field(
            description="By path, as --set takes it: a list of values, a range, or a distribution",
            examples=[{"parameters.P_K": {"log": ["1e-8 m/s", "1e-7 m/s"], "points": 11}}],
        ),
    ] = {}
    rows: Annotated[
        list[dict[str, Value]] | None, Field(description='The points of design = "list", each a table of value by path')
    ] = None
    design: Annotated[
        Literal["grid", "zip", "list", "random", "latin_hypercube", "sobol", "saltelli"],
        Field(description="How the points are chosen; grid: every value with every other, the last axis fastest"),
    ] = "grid"
    points: Annotated[int | None, Field(ge=1, description="Number of sampled points")] = None
    samples: Annotated[
        int | None, Field(ge=1, description="Of a saltelli design: base samples N, of d + 2 points each")
    ] = None
    seed: Annotated[int | None, Field(ge=0, le=2**63 - 1, description="Seed of the random numbers; 0 by default")] = (
        None
    )
    keep: Annotated[
        list[str],
        BeforeValidator(_listed),
        Field(
            description="Outputs of each point",
            examples=[["end", "verdict", "max(plasma.V)"]],
            json_schema_extra=_one_or_list,
        ),
    ] = ["end"]
    where: Annotated[
        list[str],
        BeforeValidator(_listed),
        Field(
            description="Comparisons of what is varied; points that do not satisfy them are excluded",
            json_schema_extra=_one_or_list,
        ),
    ] = []
    block: Annotated[
        int | None,
        Field(
            ge=1,
            le=MOST_IN_BLOCK,
            description="Points that are computed and written together; chosen automatically if not given",
        ),
    ] = None
    disk_GB: Annotated[
        float, Field(ge=0.001, allow_inf_nan=False, description="Disk space that the results may take, gigabytes")
    ] = 100.0
