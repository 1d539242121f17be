"""What electrodes record of a run, and how a membrane potential follows from it."""

from __future__ import annotations

import numpy as np
import pytest

import iontide
from iontide import UsageError, electrode_reading, junction_potential
from iontide.constants import FARADAY, GAS_CONSTANT
from iontide.electrode.configurations import PLACEMENTS, corrected
from iontide.electrode.sensors import nernst_slope, nikolsky_eisenman_potential
from tests.support.electrode_cell import CELL

KT = GAS_CONSTANT * 298.15 / FARADAY  # R T / F, V

FILLING = {"K": 140.0, "gluconate": 130.0, "Cl": 10.0}
BATH = {"K": 5.0, "Na": 140.0, "Cl": 145.0}
LOW = {"K": 5.0, "Na": 140.0, "Cl": 25.0, "gluconate": 120.0}
BRIDGE = {"K": 3000.0, "Cl": 3000.0}


def reading(electrode: str, more: str = "") -> iontide.ElectrodeReading:
    return electrode_reading(iontide.run(iontide.loads(CELL + electrode + more)), "e")


def test_whole_cell_reads_the_membrane_potential_plus_the_junction() -> None:
    r = reading(
        '[electrodes.e]\non = "plasma"\nfilling = { K = "140 mM", gluconate = "130 mM", Cl = "10 mM" }\n'
        'zeroed_at = "0 s"'
    )
    assert r.membrane_potential is not None
    junction = junction_potential(FILLING, BATH)
    assert junction > 0.016
    assert r.error == pytest.approx(junction, abs=1e-9)
    assert corrected("whole-cell", r.measured, junction) == pytest.approx(r.membrane_potential, abs=1e-9)


def test_a_bridge_takes_part_when_the_bath_changes() -> None:
    r = reading(
        '[electrodes.e]\non = "plasma"\nfilling = { K = "140 mM", gluconate = "130 mM", Cl = "10 mM" }\n'
        'zeroed_at = "0 s"\n'
        'reference = { bridge = { K = "3 M", Cl = "3 M" } }'
    )
    changed = (r.time > 20.0) & (r.time < 40.0)
    moved = junction_potential(BRIDGE, LOW) - junction_potential(BRIDGE, BATH)
    assert r.error[changed] == pytest.approx(junction_potential(FILLING, BATH) + moved, abs=1e-9)
    assert r.error[r.time > 40.0] == pytest.approx(junction_potential(FILLING, BATH), abs=1e-9)


def test_a_bare_wire_follows_the_chloride_of_the_bath() -> None:
    r = reading(
        '[electrodes.e]\non = "plasma"\nfilling = { K = "140 mM", gluconate = "130 mM", Cl = "10 mM" }\n'
        'zeroed_at = "0 s"\n'
        'wire = "Ag/AgCl"\nreference = { wire = "Ag/AgCl" }'
    )
    changed = (r.time > 20.0) & (r.time < 40.0)
    # Less chloride makes the reference's wire more positive, so that the reading falls.
    moved = r.error[changed] - r.error[0]
    assert moved == pytest.approx(-KT * np.log(145.0 / 25.0), abs=1e-9)


def test_a_sharp_electrode_keeps_its_junction_inside() -> None:
    r = reading(
        '[electrodes.e]\non = "plasma"\nconfiguration = "sharp"\nfilling = { K = "3 M", Cl = "3 M" }\nzeroed_at = "0 s"'
    )
    inner = junction_potential(BRIDGE, {"K": 140.0, "Na": 10.0, "Cl": 10.0, "gluconate": 140.0})
    outer = junction_potential(BRIDGE, BATH)
    # The membrane's own charge is not in what was reckoned here.
    assert r.error[0] == pytest.approx(outer - inner, abs=2e-6)
    assert r.membrane_potential is not None
    assert corrected("sharp", r.measured, outer, r.tip_junction) == pytest.approx(r.membrane_potential, abs=1e-9)


PATCH = """
title = "A patch of membrane on a pipette"
[simulation]
duration = "1 s"
temperature = "25 degC"
[compartments.bath]
bath = true
concentrations = {{ K = "140 mM", Cl = "140 mM" }}
[compartments.pipette]
bath = "floating"
concentrations = {{ K = "14 mM", Na = "126 mM", Cl = "140 mM" }}
{cell}
[membranes.patch]
inside = "{inside}"
outside = "pipette"
area = "10 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "-70 mV"
permeability = {{ K = "1e-8 m/s" }}
[electrodes.e]
on = "patch"
configuration = "{configuration}"
zeroed_at = "0 s"
reference = {{ in = "bath" }}
"""


def test_inside_out_has_the_other_sign() -> None:
    text = PATCH.format(cell="", inside="bath", configuration="inside-out")
    r = electrode_reading(iontide.run(iontide.loads(text)), "e")
    junction = junction_potential({"K": 14.0, "Na": 126.0, "Cl": 140.0}, {"K": 140.0, "Cl": 140.0})
    assert r.membrane_potential is not None
    assert r.measured[0] == pytest.approx(0.070 + junction, abs=1e-9)
    assert corrected("inside-out", r.measured, junction) == pytest.approx(r.membrane_potential, abs=1e-9)


def test_cell_attached_adds_the_resting_potential() -> None:
    cell = (
        '[compartments.cell]\nbath = "floating"\nconcentrations = { K = "140 mM", Cl = "140 mM" }\n'
        '[membranes.rest]\ninside = "cell"\noutside = "bath"\narea = "600 um^2"\nspecific_capacitance = "1 uF/cm^2"\n'
        'potential = "-65 mV"\npermeability = { K = "1e-9 m/s" }'
    )
    text = PATCH.format(cell=cell, inside="cell", configuration="cell-attached")
    trajectory = iontide.run(iontide.loads(text))
    r = electrode_reading(trajectory, "e")
    junction = junction_potential({"K": 14.0, "Na": 126.0, "Cl": 140.0}, {"K": 140.0, "Cl": 140.0})
    resting = trajectory.membrane_potential("rest")
    assert r.membrane_potential is not None
    assert corrected("cell-attached", r.measured, junction, resting=resting) == pytest.approx(
        r.membrane_potential, abs=1e-9
    )
    assert r.rest == pytest.approx(resting, abs=1e-12)


@pytest.mark.parametrize(
    ("configuration", "read"),
    [
        ("whole-cell", -0.080),
        ("outside-out", -0.080),
        ("inside-out", 0.060),
        ("cell-attached", 0.060),
        ("sharp", -0.080),
    ],
)
def test_the_published_signs(configuration: str, read: float) -> None:
    """−70 mV through a junction of −10 mV: Barry & Lynch 1991, doi:10.1007/BF01870526."""
    assert corrected(configuration, read, -0.010) == pytest.approx(-0.070, abs=1e-15)


def test_every_configuration_has_its_placement() -> None:
    from typing import get_args

    from iontide.model.electrodes import Configuration

    assert set(get_args(Configuration)) == set(PLACEMENTS)


def test_a_concentration_cell_with_transference() -> None:
    """Ag | AgCl | NaCl 100 | NaCl 10 | AgCl | Ag: 2 t₊ (R T / F) ln(c₁ / c₂), the junction's part in it."""
    text = """
title = "A concentration cell with transference"
[simulation]
duration = "1 s"
temperature = "25 degC"
[compartments.dilute]
bath = true
concentrations = { Na = "10 mM", Cl = "10 mM" }
[electrodes.e]
in = "dilute"
filling = { Na = "100 mM", Cl = "100 mM" }
wire = "Ag/AgCl"
reference = { in = "dilute", wire = "Ag/AgCl" }
"""
    r = electrode_reading(iontide.run(iontide.loads(text)), "e")
    na, cl = (iontide.find_ion(n).diffusion_coefficient for n in ("Na", "Cl"))  # type: ignore[union-attr]
    assert na
    assert cl
    assert r.measured[0] == pytest.approx(-2.0 * na / (na + cl) * KT * np.log(10.0), abs=1e-9)


def test_an_electrode_for_potassium_is_a_membrane_with_ghk_permeabilities() -> None:
    r = reading(
        '[electrodes.e]\nin = "bath"\nsenses = "K"\nselectivity = { Na = 1e-2 }\nreference = { in = "bath" }\n'
        'filling = { K = "100 mM", Cl = "100 mM" }'
    )
    inside, outside = {"K": 100.0, "Na": 0.0}, {"K": 5.0, "Na": 140.0}
    ghk = iontide.ghk_potential({"K": 1.0, "Na": 1e-2}, inside, outside, 298.15)
    assert r.measured[0] == pytest.approx(ghk, abs=1e-12)


def test_nikolsky_eisenman() -> None:
    one = nikolsky_eisenman_potential("Ca", {"Ca": 1.0, "Na": 100.0}, {"Na": 1e-3}, 310.15)
    expected = GAS_CONSTANT * 310.15 / (2 * FARADAY) * np.log(1e-3 + 1e-3 * 0.1**2)
    assert one == pytest.approx(expected, rel=1e-12)
    decade = nikolsky_eisenman_potential("H", {"H": 1e-3}) - nikolsky_eisenman_potential("H", {"H": 1e-4})
    assert decade == pytest.approx(nernst_slope(1), rel=1e-12)
    assert 1e3 * nernst_slope(1) == pytest.approx(59.159, abs=1e-3)
    for wrong, message in (
        (("Ka", {"Ka": 1.0}), "no ion Ka"),
        (("K", {"Na": 1.0}), "no activity of K"),
        (("K", {"K": 0.0}), "nothing in the sample"),
        (("K", {"K": 1.0, "Cl": 1.0}, {"Cl": 1.0}), "other sign"),
    ):
        with pytest.raises(UsageError, match=message):
            nikolsky_eisenman_potential(*wrong)


def test_a_result_file_holds_what_was_recorded(tmp_path) -> None:
    import h5py

    text = CELL + '[electrodes.e]\non = "plasma"\nfilling = { K = "150 mM", Cl = "150 mM" }\nzeroed_at = "0 s"'
    trajectory = iontide.run(iontide.loads(text))
    trajectory.save(tmp_path / "run.h5")
    r = electrode_reading(iontide.open(tmp_path / "run.h5"), "e")
    with h5py.File(tmp_path / "run.h5") as file:
        kept = file["timeseries/e.V_recorded"]
        assert kept.attrs["units"] == "mV"
        assert kept[:] == pytest.approx(1e3 * r.measured, abs=1e-9)
    with pytest.raises(UsageError, match="there is no electrode f; there are e"):
        electrode_reading(trajectory, "f")


def test_a_ramp_of_the_bath_is_followed_by_the_bridge() -> None:
    more = (
        '[[protocol]]\nat = "45 s"\n'
        'ramp = { "compartments.bath.K" = "50 mM", "compartments.bath.Na" = "95 mM", over = "10 s" }\n'
    )
    r = reading(
        '[electrodes.e]\nin = "bath"\nfilling = { Na = "150 mM", Cl = "150 mM" }\nreference = { in = "bath" }\n', more
    )
    at = np.flatnonzero((r.time > 46.0) & (r.time < 55.0))[::17]
    assert len(at) > 1
    for k in at:
        share = (r.time[k] - 45.0) / 10.0
        bath = {"K": 5.0 + 45.0 * share, "Na": 140.0 - 45.0 * share, "Cl": 145.0}
        assert r.tip_junction[k] == pytest.approx(junction_potential({"NaCl": 150.0}, bath), abs=1e-7)


def test_an_electrode_is_at_one_piece_of_what_is_repeated() -> None:
    text = """
title = "Two layers"
[simulation]
duration = "1 s"
temperature = "25 degC"
[compartments.layer]
repeat = 2
volume = "1 pL"
concentrations = { K = "100 mM", Cl = "100 mM" }
[compartments.bath]
bath = true
concentrations = { K = "5 mM", Cl = "5 mM" }
[membranes.wall]
inside = "layer"
outside = "bath"
area = "100 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { K = "1e-8 m/s" }
[electrodes.e]
on = "wall_2"
"""
    trajectory = iontide.run(iontide.loads(text))
    assert electrode_reading(trajectory, "e").measured == pytest.approx(trajectory.membrane_potential("wall_2"))
    with pytest.raises(iontide.ScenarioError, match="wall is repeated: name one of its pieces, wall_1 … wall_2"):
        iontide.loads(text.replace('"wall_2"', '"wall"'))
    inside = text.replace('on = "wall_2"', 'in = "layer"\nsenses = "K"\nreference = { in = "bath" }')
    with pytest.raises(iontide.ScenarioError, match="layer is repeated"):
        iontide.loads(inside)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('on = "plasma"\nactivity = "pitzer"', "gluconate has no Pitzer parameters"),
        ('on = "plasma"\nactivity = "debye_hueckel"', "gluconate has no ion size"),
        (
            'on = "plasma"\nconfiguration = "inside-out"\nfilling = { K = "1 mM", Cl = "1 mM" }',
            "the pipette solution is bath, the outside of plasma; leave out filling",
        ),
        ('on = "plasma"\nconfiguration = "cell-attached"', "missing; name the compartment of the reference"),
        ('in = "bath"\nreference = { in = "bath" }', "needs a filling, an ion that it senses, or a wire"),
        ('on = "plasma"\nsenses = "K"', "an electrode that senses an ion is in a compartment"),
        (
            'in = "cell"\nsenses = "K"\nreference = { in = "bath" }\nzeroed_at = "5 s"',
            "the composition of cell changes",
        ),
    ],
)
def test_what_does_not_fit_is_told(keys: str, message: str) -> None:
    with pytest.raises(iontide.ScenarioError, match=message):
        iontide.loads(CELL + "[electrodes.e]\n" + keys)


@pytest.mark.parametrize(
    ("keys", "message"),
    [
        ('senses = "gluconate"', "has no gluconate, or what interferes with it, at some time of the run"),
        ('wire = "hydrogen"', "needs H"),
    ],
)
def test_what_there_is_none_of_is_not_read(keys: str, message: str) -> None:
    text = CELL + '[electrodes.e]\nin = "bath"\nreference = { in = "bath" }\n' + keys
    with pytest.raises(iontide.IontideError, match=message):
        electrode_reading(iontide.run(iontide.loads(text)), "e")
