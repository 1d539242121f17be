"""Where a sweep is computed: worker processes here, Slurm, Dask."""
