"""Figures of one run: potentials, concentrations, currents, gates, volumes, electrodes, protocol and event marks."""
