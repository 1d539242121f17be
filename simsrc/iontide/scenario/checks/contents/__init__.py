"""Rules for what compartments hold: solutions, reactions, sources, tracers, stoichiometries."""
