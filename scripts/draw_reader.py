"""A participant's motor strip, slice by slice, on a page on which the motor band is rated by eye."""

from mndmri.io import load_image, load_optional, read_table, write_text
from mndmri.jobs import start_job
from mndmri.report.reader import encode_case, reader_page
from mndmri.susceptibility.reading import read_strip

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
reading = read_strip(
    load_image(given.regions),
    read_table(given.names),
    load_image(given.mni_mm),
    swi=load_optional(given.swi),
    chi=load_optional(given.chi),
    max_in_plane_mm=options.max_in_plane_mm,
)
page = reader_page([encode_case(options.case, **reading._asdict())])
write_text(page, snakemake.output.page)
log.info("%d slices of %s, %.1f MB", len(reading.outlines), ", ".join(reading.layers), len(page) / 1e6)
