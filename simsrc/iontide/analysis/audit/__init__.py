"""Checks of a run by other means than those that made it: charge, mass, free energy, passive pathways."""
