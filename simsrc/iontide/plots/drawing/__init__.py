"""The parts of all figures: style, panels, axes, labels, margins, scales."""
