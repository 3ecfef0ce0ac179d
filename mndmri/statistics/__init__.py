"""Group statistics, from the tidy measures table and the participants table alone."""

from mndmri.statistics.ancova import adjusted_means
from mndmri.statistics.comparisons import compare_groups, comparisons_dictionary
from mndmri.statistics.demographics import demographics
from mndmri.statistics.effect_sizes import hedges_g, hodges_lehmann
from mndmri.statistics.exact import fisher_freeman_halton
from mndmri.statistics.wide import wide_table

__all__ = [
    "adjusted_means",
    "compare_groups",
    "comparisons_dictionary",
    "demographics",
    "fisher_freeman_halton",
    "hedges_g",
    "hodges_lehmann",
    "wide_table",
]
