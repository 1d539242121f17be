"""A model made ready and run: machine code, integration, trajectory, and what is said when it fails."""
