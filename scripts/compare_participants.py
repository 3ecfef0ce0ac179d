"""Every person on the range of the controls, in a file beside the person's page that shows it there."""

from mndmri.figures.person import profile_on_band, strips_on_band
from mndmri.figures.sheets import draw_frames
from mndmri.io import by_participant, read_table, write_text
from mndmri.jobs import start_job
from mndmri.report.controls import controls_panel
from mndmri.report.pages import View
from mndmri.statistics.bands import add_band, score_places
from mndmri.statistics.deviations import DeviationTables
from mndmri.statistics.prevalence import SCORE
from mndmri.tables.covariates import join_measured
from mndmri.tables.participants import read_participants

log = start_job(snakemake)
given, options = snakemake.input, snakemake.params
measures, quality = read_table(given.measures), read_table(given.quality) if given.quality else None
people = join_measured(read_participants(given.participants), measures, quality, options.scored["measure_covariates"])
controls = people.loc[people["group"] == options.scored["reference"], "participant_id"].tolist()
bands = add_band(
    DeviationTables(read_table(given.deviations), read_table(given.norms)),
    controls=[] if options.stored_norms else controls,
    alpha=options.scored["alpha"],
)
index = read_table(given.index) if given.index else None
profiles = strips = None
if given.profiles:
    fa = read_table(given.profiles).query("measure == 'fa'")
    profiles = score_places(fa, people, modality="dwi", measure="fa", named_by=["node"], **options.scored)
if given.strips:
    named_by = ["modality", "bank", "arc", "depth"]
    painted = read_table(given.strips)
    strips = score_places(painted, people, modality="swi", measure="strip", named_by=named_by, **options.scored)

for who, path in by_participant(snakemake.output.panels).items():
    sheets = {}
    if profiles is not None and (own := profiles[profiles["participant_id"] == who])["value"].notna().any():
        others = profiles[profiles["participant_id"].isin({*controls} - {who})]
        sheets["FA along the corticospinal tract"] = profile_on_band(own, others, measure="fa")
    if strips is not None:
        sheets |= strips_on_band(strips[strips["participant_id"] == who])
    text = controls_panel(
        who,
        bands,
        rows=[*options.primary, SCORE],
        n_primary=len(options.primary),
        controls=controls,
        covariates=options.scored["covariates"],
        alpha=options.scored["alpha"],
        band_index=None if index is None else index[index["participant_id"] == who],
        views=[View(title, draw_frames(own), own.look_for, own.bad) for title, own in sheets.items()],
    )
    write_text(text, path)
log.info("%d participants, %d controls", len(snakemake.output.panels), len(controls))
