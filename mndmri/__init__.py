"""Measures of upper-motor-neuron damage on MRI.

The library holds everything scientific: it takes and returns images and tables,
never paths, and knows nothing of Snakemake. The rules in ``workflow/`` wire its
functions together and the scripts in ``scripts/`` read and write for them.
"""

__version__ = "0.2.0"
