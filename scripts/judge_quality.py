"""Every participant's quality compared with the limits, as a table."""

from mndmri.io import EXACT, read_own_tables, read_table, write_json, write_table
from mndmri.jobs import start_job
from mndmri.tables.decisions import leave_out
from mndmri.tables.qc import limits_from_config, quality_dictionary, study_quality

log = start_job(snakemake)
options = snakemake.params
qc = study_quality(
    {who: leave_out(own, options.excluded.get(who, {})) for who, own in read_own_tables(snakemake.input.qc).items()},
    read_table(snakemake.input.measures),
    primary=options.primary,
    limits=limits_from_config(options.limits),
    max_robust_z=options.max_robust_z,
)
write_table(qc, snakemake.output.qc, digits=EXACT)
write_json(quality_dictionary(qc["measure"]), snakemake.output.dictionary)
log.info("%d of %d checks flagged", (qc.flag == "yes").sum(), len(qc))
