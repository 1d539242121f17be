"""A cell whose bath loses chloride for a while, for what electrodes see of it."""

CELL = """
title = "A cell, and what electrodes see of it"
[simulation]
duration = "60 s"
temperature = "25 degC"
[compartments.cell]
volume = "1 pL"
concentrations = { K = "140 mM", Na = "10 mM", Cl = "10 mM" }
impermeants = { gluconate = { concentration = "balance", valence = -1 } }
[compartments.bath]
bath = true
concentrations = { K = "5 mM", Na = "140 mM", Cl = "145 mM", gluconate = "0 mM" }
[membranes.plasma]
inside = "cell"
outside = "bath"
area = "600 um^2"
specific_capacitance = "1 uF/cm^2"
potential = "ghk"
permeability = { K = "4e-9 m/s", Na = "2e-10 m/s" }
[[protocol]]
from = "20 s"
to = "40 s"
set = { "compartments.bath.Cl" = "25 mM", "compartments.bath.gluconate" = "120 mM" }
"""
