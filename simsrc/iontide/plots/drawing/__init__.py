"""What every figure is drawn with: style, panels, axes, labels, scales."""
