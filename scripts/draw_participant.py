"""A participant's pictures, on a page with the measures and the flags."""

from pathlib import Path

import pandas as pd

from mndmri.diffusion.carpet import slice_carpet
from mndmri.diffusion.gradients import read_gradients
from mndmri.figures.participant import (
    chi_sheets,
    cord_sheets,
    dwi_series_sheets,
    dwi_sheets,
    map_sheets,
    midsagittal_sheets,
    strip_sheets,
    sulcus_sheets,
    swi_sheets,
    t1w_sheets,
)
from mndmri.figures.sheets import draw_frames
from mndmri.grids import to_canonical
from mndmri.io import load_image, load_matrix, load_streamlines, read_table, read_text, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.pages import View, participant_page
from mndmri.tables.qc import limits_from_config, qc_table
from mndmri.units import unit_of

log = start_job(snakemake)
given, options, who = snakemake.input, snakemake.params, unit_of(snakemake.wildcards)

anatomical = {"name": options.anatomical}
sheets = t1w_sheets(
    who,
    **anatomical,
    t1w=load_image(given.t1w),
    mask=load_image(given.mask),
    gm=load_image(given.gm),
    wm=load_image(given.wm),
    t1w_template=load_image(given.t1w_template),
    template=load_image(given.template),
    space=options.space,
)
if given.sulcus:
    sheets |= sulcus_sheets(who, t1w=load_image(given.t1w), middle=load_image(given.sulcus))
if given.cord:
    planes, inside, profile = given.cord
    cord = {"planes": load_image(planes), "inside": load_image(inside), "profile": read_table(profile)}
    sheets |= cord_sheets(who, t1w=load_image(given.head[0]), **cord)
if given.midsagittal:
    sheets |= midsagittal_sheets(who, *map(load_image, given.midsagittal), space=options.space)
if given.fa:
    sheets |= dwi_sheets(
        who,
        **anatomical,
        b0_scanned=load_image(given.b0_scanned),
        b0=load_image(given.b0),
        displacement_mm=load_image(given.displacement),
        wm=load_image(given.wm_dwi),
        fa=load_image(given.fa),
        v1=load_image(given.v1),
        weights=load_image(given.atlas_dwi),
        names=read_table(given.table_dwi),
        streamlines={side: load_streamlines(path) for side, path in zip(("left", "right"), given.tracts, strict=False)},
    )
    gradients = read_gradients(read_text(given.bval), read_text(given.bvec), load_image(given.series).affine)
    carpet = slice_carpet(
        to_canonical(load_image(given.scanned[0])), load_image(given.series), gradients, load_image(given.mask_dwi)
    )
    sheets |= dwi_series_sheets(who, motion=read_table(given.motion), unweighted=gradients.is_b0, **carpet._asdict())
if given.regions:
    regions = {"masks": load_image(given.regions), "names": read_table(given.names)}
if given.swi:
    sheets |= swi_sheets(who, swi=load_image(given.swi), **regions)
if given.chi:
    sheets |= chi_sheets(who, chi=load_image(given.chi), **regions)
if given.strip:
    sheets |= strip_sheets(who, read_table(given.strip))
maps = {
    name: (load_image(image), load_matrix(xfm))
    for name, image, xfm in zip(options.maps, given.maps, given.maps_xfm, strict=True)
}
sheets |= map_sheets(who, maps, gm=load_image(given.gm), wm=load_image(given.wm))
page = participant_page(
    who,
    options.group,
    views=[View(title, draw_frames(own), own.look_for, own.bad) for title, own in sheets.items()],
    measures=read_table(given.measures),
    qc=qc_table(read_table(given.qc).assign(participant_id=who), limits_from_config(options.limits)),
    stages=pd.DataFrame(options.stages),
    reader=Path(given.reader).name if given.reader else "",
    viewer=Path(given.viewer).name if given.viewer else "",
    visits=options.visits,
    decisions=options.decisions,
    controls=f"{who}_controls.js" if options.controls else "",
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d pictures", len(sheets))
