"""Quantitative maps and contrasts, measured in the regions of the motor system."""
