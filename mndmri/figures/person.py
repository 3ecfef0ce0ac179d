"""One person on the range of the controls: along the tract, and on the unfolded sulcus."""

from collections.abc import Collection

import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mndmri.figures.groups import GREY, W_LIMIT, bare
from mndmri.figures.sheets import Sheet
from mndmri.figures.strip import PAINTED, strip_plot
from mndmri.tables.words import capitalised, readable

_SIDES = {"L": "Left", "R": "Right"}
PERSON, BAND = "#D55E00", "#D3DAE2"
_SIZE_INCHES = (8.8, 2.9)


def person_sheets(
    who: str, *, controls: Collection[str], profiles: pd.DataFrame | None = None, strips: pd.DataFrame | None = None
) -> dict[str, Sheet]:
    """A person's profile of FA and unfolded sulci on the controls' range; what the person has not is left out.

    Parameters
    ----------
    who : str
        participant_id.
    controls : collection of str
        ``participant_id`` of the controls.
    profiles, strips : DataFrame, optional
        Everybody's, with the columns of `profile_on_band` and of `strips_on_band`, and ``participant_id``.
    """
    sheets: dict[str, Sheet] = {}
    if profiles is not None:
        own = profiles[profiles["participant_id"] == who]
        others = profiles[profiles["participant_id"].isin({*controls} - {who})]
        if own["value"].notna().any():
            sheets["FA along the corticospinal tract"] = profile_on_band(own, others, measure="fa")
    if strips is not None:
        sheets |= strips_on_band(strips[strips["participant_id"] == who])
    return sheets


def profile_on_band(profile: pd.DataFrame, controls: pd.DataFrame, *, measure: str) -> Sheet:
    """One person's profile from the pons to the cortex on the controls' range; on their own lines without one.

    Parameters
    ----------
    profile : DataFrame
        The person's ``hemi, position_mm, value, expected, band_low, band_high, note``; the three before the last are
        missing where no range could be computed, and ``note`` says why.
    controls : DataFrame
        ``participant_id, hemi, position_mm, value`` of the controls other than this person; drawn where no node has
        a range.
    measure : str
    """
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    panels = figure.subplots(1, 2, sharey=True)
    without = profile["band_low"].isna().all()
    for axes, (hemi, side) in zip(panels, _SIDES.items(), strict=True):
        own = profile[profile["hemi"] == hemi].sort_values("position_mm")
        if without:
            _draw_lines(axes, controls[controls["hemi"] == hemi])
        axes.fill_between(own["position_mm"], own["band_low"], own["band_high"], color=BAND, linewidth=0)
        axes.plot(own["position_mm"], own["expected"], color=GREY, linewidth=0.9)
        axes.plot(own["position_mm"], own["value"], color=PERSON, linewidth=1.8)
        axes.set_title(side, fontsize=10)
        axes.set_xlabel("Position from pons to cortex (mm)", fontsize=9)
        axes.set_label(hemi)
        bare(axes)
    panels[0].set_ylabel(capitalised(readable(measure)))
    grey = "grey: range of the controls"
    if without:
        reasons = profile.loc[profile["value"].notna(), "note"].mode()
        grey = f"grey lines: the controls, not adjusted; no range could be computed: {'; '.join(reasons[:1])}"
    return Sheet(
        figure,
        f"stretches of the coloured line outside the controls ({grey}); a gap has too few voxels of white matter.",
        "the line leaves the controls in single nodes, or all along with motion or a wrong registration: look at the "
        "pictures below first.",
    )


def _draw_lines(axes: Axes, controls: pd.DataFrame) -> None:
    for _, own in controls.groupby("participant_id"):
        own = own.sort_values("position_mm")
        axes.plot(own["position_mm"], own["value"], color=GREY, linewidth=0.8, alpha=0.7)


def strips_on_band(strips: pd.DataFrame) -> dict[str, Sheet]:
    """W-scores on both central sulci of a person, by what was painted on them; one without a W-score is left out.

    Parameters
    ----------
    strips : DataFrame
        ``hemi, bank, arc, depth, part, w_score, modality``, a row a patch.
    """
    return {
        f"Central sulcus against the controls: {PAINTED[modality][0]}": Sheet(
            strip_plot(
                own.assign(value=own["w_score"]),
                title=PAINTED[modality][0],
                quantity="W",
                window=(-W_LIMIT, W_LIMIT),
                signed=True,
            ),
            "a coherent stretch of the precentral bank that differs from its neighbours.",
            "single patches at the rim, or whole sides, differ: veins, or a sulcus that was not found.",
        )
        for modality, own in strips.groupby("modality", sort=False)
        if own["w_score"].notna().any()
    }
