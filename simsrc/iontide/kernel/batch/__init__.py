"""The integrator of many runs at once, each in one of sixteen SIMD lanes."""
