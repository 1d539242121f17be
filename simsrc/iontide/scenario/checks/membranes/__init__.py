"""Rules for membranes and what crosses them: pathways, channels, water, diffusion."""
