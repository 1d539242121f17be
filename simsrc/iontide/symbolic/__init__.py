"""Expression graphs, exact derivatives, and the tape: a straight-line program over registers."""
