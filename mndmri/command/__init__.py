"""The command ``mndmri``: from a dataset to a config, a check, a run, and what came out."""

from mndmri.command.line import main

__all__ = ["main"]
