"""Every visit's quality compared with the limits, as a table."""

from mndmri.io import EXACT, read_table, read_unit_tables, write_json, write_table
from mndmri.jobs import start_job
from mndmri.tables.decisions import leave_out
from mndmri.tables.qc import add_alignment, by_visit, limits_from_config, study_quality, visits_quality_dictionary
from mndmri.tables.visits import name_units

log = start_job(snakemake)
options = snakemake.params
own = read_unit_tables(snakemake.input.qc)
own = {unit: leave_out(table, options.excluded.get(unit, {})) for unit, table in own.items()}
qc = by_visit(
    study_quality(
        add_alignment(own, [name_units(read_table(path)) for path in snakemake.input.within]),
        name_units(read_table(snakemake.input.measures)),
        primary=options.primary,
        limits=limits_from_config(options.limits),
        max_robust_z=options.max_robust_z,
    )
)
write_table(qc, snakemake.output.qc, digits=EXACT)
write_json(visits_quality_dictionary(qc["measure"]), snakemake.output.dictionary)
log.info("%d of %d checks flagged", (qc.flag == "yes").sum(), len(qc))
