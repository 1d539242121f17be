"""Running a model: preparation, integration, trajectory, and messages of failures."""
