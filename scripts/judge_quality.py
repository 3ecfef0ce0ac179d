"""Every participant's quality held against the limits, as a table and as a page."""

from pathlib import Path

import pandas as pd

from mndmri.io import read_own_tables, read_table, write_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.pages import qc_index
from mndmri.tables.qc import limits_from_config, qc_table, robust_outliers

log = start_job(snakemake)
limits = snakemake.params.limits
own = read_own_tables(snakemake.input.qc)
rows = pd.concat([table.assign(participant_id=who) for who, table in own.items()])
primary = {(p["modality"], p["measure"], p["region"]) for p in snakemake.params.primary}
outliers = robust_outliers(read_table(snakemake.input.measures), primary, limit=limits["max_robust_z"])
qc = pd.concat([qc_table(rows, limits_from_config(limits)), outliers], ignore_index=True)
write_table(qc, snakemake.output.qc)
page = qc_index(
    read_table(snakemake.input.participants),
    qc,
    failed=snakemake.params.failed,
    versions=versions(),
    pages=[Path(path).stem for path in snakemake.input.pages],
)
write_text(page, snakemake.output.page)
log.info("%d of %d checks flagged", (qc.flag == "yes").sum(), len(qc))
