"""A participant's visits side by side on a page."""

from mndmri.figures import to_webp
from mndmri.figures.own_visits import months_plot, visit_sheets
from mndmri.figures.sheets import draw_frames
from mndmri.io import by_unit, load_image, read_bytes, read_table, write_text
from mndmri.jobs import start_job
from mndmri.provenance import versions
from mndmri.report.pages import Picture, View
from mndmri.report.visits import visit_names, visits_page
from mndmri.statistics.bands import add_band
from mndmri.statistics.deviations import DeviationTables
from mndmri.units import name_unit, unit_of

log = start_job(snakemake)
given, options, who = snakemake.input, snakemake.params, unit_of(snakemake.wildcards)
measures = read_table(given.visits).query("participant_id == @who")
bands = add_band(DeviationTables(read_table(given.deviations), read_table(given.norms)), alpha=options.alpha)
names = visit_names(measures)
images = {}
for title, files in (("T1w image", by_unit(given.t1w)), ("FA", by_unit(given.fa))):
    own = {name: files.get(name_unit(who, session)) for session, name in names.items()}
    images[title] = {name: load_image(path) for name, path in own.items() if path}
sheets = visit_sheets(who, images, load_image(given.template), space=options.space)
figure = months_plot(measures, bands.query("participant_id == @who"), rows=options.primary, baseline=options.baseline)
said = "Primary measures at each visit; the filled point is the baseline, which the groups' tables have."
changed = "Where grey matter became smaller or larger from the first to the last visit, in the midway space."
page = visits_page(
    who,
    options.group,
    measures=measures,
    views=[View(title, draw_frames(own), own.look_for, own.bad) for title, own in sheets.items()],
    over_months=Picture("Measures over the months", said, to_webp(figure)) if figure else None,
    change=Picture("Change of grey matter", changed, read_bytes(given.growth[0])) if given.growth else None,
    baseline=options.baseline,
    pages=options.pages,
    versions=versions(),
)
write_text(page, snakemake.output.page)
log.info("%d visits, %d pictures", len(names), len(sheets))
