"""The table of participants: its own columns."""

# One more clinical score, where the config says how it is computed.
PROGRESSION_RATE = "progression_rate"
