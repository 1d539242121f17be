"""Rules for the contents of compartments: solutions, reactions, sources, tracers, stoichiometries."""
