"""A participant's pictures, on a page with the measures and the flags."""

from pathlib import Path

import pandas as pd

from mndmri.figures import to_png
from mndmri.figures.cord import cord_sheet
from mndmri.figures.participant import chi_sheets, dwi_sheets, strip_sheets, swi_sheets, t1w_sheets
from mndmri.io import load_image, read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.pages import Picture, participant_page
from mndmri.tables.measures import MEASURE_COLUMNS
from mndmri.tables.qc import limits_from_config, qc_table

log = start_job(snakemake)
given, options, who = snakemake.input, snakemake.params, f"sub-{snakemake.wildcards.subject}"

anatomical = {"name": "image of FA and MD" if given.stand_in else "T1w"}
sheets = t1w_sheets(
    who,
    **anatomical,
    t1w=load_image(given.t1w),
    mask=load_image(given.mask),
    gm=load_image(given.gm),
    wm=load_image(given.wm),
    t1w_template=load_image(given.t1w_template),
    template=load_image(given.template),
)
if given.cord:
    planes, inside, profile = given.cord
    cord = {"planes": load_image(planes), "inside": load_image(inside), "profile": read_table(profile)}
    sheets["Medulla and upper cervical cord"] = cord_sheet(load_image(given.head[0]), **cord, title=who)
if given.fa:
    sheets |= dwi_sheets(
        who,
        **anatomical,
        b0_scanned=load_image(given.b0_scanned),
        b0=load_image(given.b0),
        wm=load_image(given.wm_dwi),
        fa=load_image(given.fa),
        v1=load_image(given.v1),
        weights=load_image(given.atlas_dwi),
        names=read_table(given.table_dwi),
    )
if given.regions:
    regions = {"masks": load_image(given.regions), "names": read_table(given.names)}
if given.swi:
    sheets |= swi_sheets(who, swi=load_image(given.swi), **regions)
if given.chi:
    sheets |= chi_sheets(who, chi=load_image(given.chi), **regions)
if given.strip:
    sheets |= strip_sheets(who, read_table(given.strip))
scores = [read_table(path).query("participant_id == @who and measure == 'motor_band_score'") for path in given.scores]
index = [read_table(path).query("participant_id == @who") for path in given.index]
page = participant_page(
    who,
    options.group,
    pictures=[Picture(title, "", to_png(figure)) for title, figure in sheets.items()],
    measures=pd.concat([read_table(given.measures), *scores])[MEASURE_COLUMNS],
    qc=qc_table(read_table(given.qc).assign(participant_id=who), limits_from_config(options.limits)),
    stages=pd.DataFrame(options.stages),
    reader=Path(given.reader).name if given.reader else "",
    decisions=options.decisions,
    versions=versions(),
    band_index=index[0] if index else None,
)
write_text(page, snakemake.output.page)
log.info("%d pictures", len(sheets))
