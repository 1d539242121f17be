"""What follows from a model or a run: steady states, stability, sensitivities, continuation, classification, energy."""
