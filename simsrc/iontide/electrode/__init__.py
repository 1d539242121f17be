"""Potentials that electrodes record: liquid junctions, half-cells, electrodes in a model, and correction of recordings.

One sign throughout: a liquid junction potential is that of the bath relative to the pipette (Barry & Lynch 1991,
doi:10.1007/BF01870526), so that ``V_measured = V_true + LJP`` where an electrode was zeroed in the bath.
"""

from .junctions.liquid_junction import Junction, junction, junction_potential
from .reading import ElectrodeReading, electrode_reading

__all__ = ["ElectrodeReading", "Junction", "electrode_reading", "junction", "junction_potential"]
