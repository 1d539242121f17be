"""Analysis of models and runs: steady states, stability, sensitivities, continuation, classification, energy."""
