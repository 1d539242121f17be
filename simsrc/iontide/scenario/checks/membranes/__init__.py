"""Rules for what crosses membranes: pathways, channels, water, diffusion."""
