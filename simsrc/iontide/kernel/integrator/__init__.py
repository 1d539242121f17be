"""The integrator of one run: Rosenbrock steps, step control, samples and events."""
