"""Many variants of one scenario: plans, their computation, workers here or on a cluster, and what is stored."""
