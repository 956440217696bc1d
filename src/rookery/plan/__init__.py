"""Plans: pure functions from a design and an observation to the steps that are left."""
