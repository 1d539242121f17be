"""A block of points computed: models to arrays, batches of runs, results and their classification."""
