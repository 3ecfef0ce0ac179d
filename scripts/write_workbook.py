"""The group's tables as one spreadsheet."""

from pathlib import Path

from mndmri.io import read_json, read_table, write_bytes
from mndmri.jobs import start_job
from mndmri.report.workbook import make_workbook

TITLES = {
    "measures_wide": "One row a participant: identity, covariates and every measure",
    "demographics": "Table 1",
    "balance": "How the groups differ besides their disease",
    "comparisons": "Every measure compared between the groups",
    "adjusted_means": "Means of the groups at the average covariates",
    "classification": "How well each measure alone tells the groups apart",
    "correlations": "Measures and clinical scores, within patients",
    "multimodal_index": "How well the primary measures together tell the groups apart",
    "multimodal_predictions": "The index of every participant, from a model made without them",
    "multimodal_features": "What each measure adds to the index",
    "site_effects": "The groups compared within each site, and pooled",
    "profile_comparisons": "The groups compared at every node of the corticospinal tract",
    "sensitivity": "The primary comparisons on other people and with other covariates",
    "motor_band_sign": "In how many the motor band sign is present",
    "motor_band_agreement": "The automated score against the human rating",
    "measures": "Every measure of everyone, one a row",
}

log = start_job(snakemake)
tables = {Path(path).stem: read_table(path) for path in snakemake.input.tables}
dictionaries = {Path(path).stem: read_json(path) for path in snakemake.input.dictionaries}
write_bytes(make_workbook(tables, dictionaries, titles=TITLES), snakemake.output.workbook)
log.info("%d tables", len(tables))
