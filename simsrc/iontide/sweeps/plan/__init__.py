"""What a sweep computes: axes, designs, constraints, outputs, resolved against a scenario."""
