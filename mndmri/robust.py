"""Robust statistics."""

# Scales the median absolute deviation to the standard deviation of a normal distribution.
MAD_TO_SD = 1.482602218505602
