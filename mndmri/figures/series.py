"""A diffusion series, volume by volume: motion, lost slices, and how well it can be predicted."""

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from mndmri.figures.groups import GREY, bare

_SIZE_INCHES = (11.4, 5.2)
_SHOWN_LOSS = 0.3  # colour scale of relative signal: a slice that lost a third is as dark as any
_LINE, _B0 = "#0072B2", "#E69F00"


def series_sheet(
    motion: pd.DataFrame, signal: np.ndarray, residual: np.ndarray, unweighted: np.ndarray, *, title: str
) -> Figure:
    """Motion and outlier slices of each volume, above the slices of each volume as colours.

    Parameters
    ----------
    motion : DataFrame
        ``framewise_displacement`` (mm) and ``outlier_slices``, a row a volume.
    signal : ndarray, shape (n_slices, N)
        Signal of a slice as scanned, relative to the same slice in volumes of the same b-value; 0 is the same.
    residual : ndarray, shape (n_slices, N)
        Signal of the preprocessed series relative to its prediction from the other volumes; 0 is the same.
    unweighted : ndarray of bool, shape (N,)
        Which volumes are b = 0.
    title : str
        With the study's id of the participant.
    """
    figure = Figure(figsize=_SIZE_INCHES, layout="constrained")
    moved, lost, scanned, predicted = figure.subplots(4, 1, sharex=True, height_ratios=[1, 0.7, 2, 2])
    volumes = np.arange(1, len(unweighted) + 1)
    _draw_trace(moved, volumes, motion["framewise_displacement"], "motion\n(mm)")
    _draw_trace(lost, volumes, motion["outlier_slices"], "outlier\nslices")
    for axes, carpet, name in (
        (scanned, signal, "slices\nas scanned"),
        (predicted, residual, "slices\nminus prediction"),
    ):
        shown = axes.imshow(
            100 * carpet, origin="lower", aspect="auto", interpolation="nearest", cmap="PuOr",
            vmin=-100 * _SHOWN_LOSS, vmax=100 * _SHOWN_LOSS, extent=(0.5, len(volumes) + 0.5, -0.5, len(carpet) - 0.5),
        )  # fmt: skip
        axes.set_facecolor("#DDDDDD")
        axes.set_ylabel(name, fontsize=8)
        axes.tick_params(labelsize=8)
    bar = figure.colorbar(shown, ax=[scanned, predicted], pad=0.01, aspect=30)
    bar.set_label("difference from the expected signal (%)", fontsize=8)
    bar.ax.tick_params(labelsize=8)
    b0 = volumes[unweighted]
    moved.plot(b0, np.zeros(len(b0)), linestyle="", marker="|", color=_B0, markersize=9, label="b = 0")
    moved.legend(loc="upper right", fontsize=7, frameon=False)
    predicted.set_xlabel("Volume, in the order of the scan", fontsize=9)
    figure.suptitle(title, fontsize=11, weight="bold")
    return figure


def _draw_trace(axes: Axes, volumes: np.ndarray, values: pd.Series, name: str) -> None:
    axes.bar(volumes, values.fillna(0), width=0.9, color=_LINE)
    axes.set_ylabel(name, fontsize=8)
    axes.set_ylim(0, max(float(values.max()), 1.0))
    axes.axhline(0, color=GREY, linewidth=0.8)
    bare(axes)
    axes.tick_params(labelsize=8)
