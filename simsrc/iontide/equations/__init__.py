"""From a model to expressions: states, the quantities of the physics, right-hand sides, initial state, invariants."""
