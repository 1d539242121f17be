"""iontide: what ions, volumes and potentials do in time, from a scenario file."""

__version__ = "0.1.0"
