"""Physics of gradient-echo scans: phase, echo times, the dipole field."""
