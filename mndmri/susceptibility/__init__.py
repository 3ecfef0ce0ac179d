"""Susceptibility-weighted imaging: the hypointense band of the primary motor cortex."""
