"""Many variants of one scenario: plans, the engine, workers on one machine or many, and what they leave behind."""
