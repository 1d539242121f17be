"""The integrator of many runs at once, sixteen SIMD lanes side by side."""
