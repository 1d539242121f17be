"""Every rule that a scenario must keep; what is sound becomes a part of the model."""
