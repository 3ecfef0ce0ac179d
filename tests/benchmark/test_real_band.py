"""The motor band score on seven real people, in whom a band is planted on the scan before any processing.

A band darkens the deep layers of the precentral gyrus's posterior bank by a share of their signal, each voxel as far as
it belongs to them on a grid of 0.5 x 0.5 x 1 mm. It does not change how the scan was aligned or what shading was
found in it: scores with both computed anew are the same (`test_a_band_does_not_change_the_shading_that_is_found`).
`MNDMRI_REAL_RESULTS` may name a folder in which the people's regions are kept from one run to the next; without it
they are made anew, in half an hour on one core.
"""

import os
from pathlib import Path
from typing import NamedTuple

import nibabel as nb
import numpy as np
import pandas as pd
import pytest
from nibabel.spatialimages import SpatialImage

from mndmri.atlas.on_scan import Person, on_scan
from mndmri.atlas.regions import restrict, select
from mndmri.grids import bounding_box, make_image, to_canonical
from mndmri.io import load_field, load_image, load_matrix, read_table
from mndmri.registration.transforms import resample
from mndmri.susceptibility.measures import measure_susceptibility
from mndmri.susceptibility.regions import ATLAS_REGIONS, BANKS, REFERENCE, any_region, precentral_regions
from mndmri.susceptibility.swi import normalise
from mndmri.susceptibility.veins import find_veins
from tests.benchmark.banding import MEASURES, REAL_SD, SIDES, TOTAL, contrasts, scores, spread, told
from tests.running import finish

pytestmark = pytest.mark.benchmark

FINER = np.array([2, 2, 3])  # points to a voxel of 1 x 1 x 3 mm, along each axis
STRENGTHS = (0.10, 0.15, 0.20)
HANDS = [key for key in SIDES if key[0] == "precentral_hand"]
_SPACE = "MNI152NLin6Asym"


class Scanned(NamedTuple):
    """A person's scan and regions, cut out about both central gyri."""

    raw: SpatialImage
    brain: SpatialImage
    normalised: SpatialImage
    masks: SpatialImage
    names: pd.DataFrame
    box: tuple[slice, slice, slice]
    share: dict[tuple[str, str, str], np.ndarray]
    """Of each voxel in the box, by bank, region and hemi: how much of it belongs to the bank."""

    def planted(self, strength: float, where, bank: str = BANKS[0], *, anew: bool = False) -> pd.DataFrame:
        """Measures with a band; ``anew``: the scan's shading, too, is looked for again."""
        share = np.zeros(self.raw.shape, np.float32)
        for key in where:
            share[self.box] = np.maximum(share[self.box], self.share[(bank, *key)])
        dark = 1 - strength * share
        if anew:
            scan = make_image((self.raw.get_fdata() * dark).astype(np.float32), self.raw)
            swi = normalise(scan, self.brain, select(self.masks, self.names, *REFERENCE))
        else:
            swi = make_image((self.normalised.get_fdata() * dark).astype(np.float32), self.raw)
        return measure_susceptibility(swi, self.masks, self.names, find_veins(swi, any_region(self.masks)))


@pytest.fixture(scope="module")
def seven(real_data, tmp_path_factory) -> dict[str, Scanned]:
    data = real_data / "real_t2star"
    if not data.is_dir():
        pytest.skip(f"no {data}: seven people's T2*-weighted scans")
    kept = os.environ.get("MNDMRI_REAL_RESULTS")
    folder = Path(kept) if kept else tmp_path_factory.mktemp("seven")
    folder.mkdir(parents=True, exist_ok=True)
    people = sorted(path.name for path in data.glob("sub-*"))
    table = pd.DataFrame({"participant_id": people, "group": ["ALS"] * 2 + ["control"] * (len(people) - 2)})
    # the two groups are invented: the study needs some, and no result here depends on them
    table.assign(age=70, sex="F").to_csv(folder / "participants.tsv", sep="\t", index=False)
    results = folder / "results"
    config = {
        "bids_dir": str(data),
        "output_dir": str(results),
        "participants": str(folder / "participants.tsv"),
        "groups": {"reference": "control", "levels": {"ALS": ["ALS"], "control": ["control"]}},
        "covariates": [],
        "modalities": ["t1w", "swi"],
        "simulation": None,
    }
    wanted = [str(results / who / "swi" / f"{who}_desc-precentral_measures.tsv") for who in people]
    finish(folder, config, "--cores", str(os.cpu_count() or 1), "--rerun-triggers", "mtime", *wanted)
    return {who: load_person(data, results, who) for who in people}


def load_person(data: Path, results: Path, who: str) -> Scanned:
    anat, swi = (results / who / kind / f"{who}_" for kind in ("anat", "swi"))

    def near(stem: Path, end: str) -> Path:
        return stem.with_name(stem.name + end)

    raw = to_canonical(load_image(data / who / "anat" / f"{who}_T2starw.nii.gz"))
    masks = load_image(near(swi, "space-swi_desc-regions_mask.nii.gz"))
    names = read_table(near(swi, "space-swi_desc-regions_mask.tsv"))
    atlas, table = restrict(
        load_image(results / "resources" / f"tpl-{_SPACE}_res-01_atlas-mndmri_probseg.nii"),
        read_table(results / "resources" / f"tpl-{_SPACE}_atlas-mndmri_dseg.tsv"),
        ATLAS_REGIONS,
    )
    person = Person(
        from_template=load_field(near(anat, f"from-{_SPACE}_to-T1w_mode-image_xfm.nii.gz")),
        to_template=load_field(near(anat, f"from-T1w_to-{_SPACE}_mode-image_xfm.nii.gz")),
        atlas=atlas,
        table=table,
        white_matter=load_image(near(anat, "label-WM_probseg.nii.gz")),
    )
    to_scan = load_matrix(near(swi, "from-swi_to-T1w_mode-image_xfm.txt"))
    gyri = np.any(
        [np.asarray(select(masks, names, g, h).dataobj) for g in ("precentral", "postcentral") for h in "LR"], 0
    )
    box = tuple(
        slice(b.start, min(b.stop, n))
        for b, n in zip(bounding_box(make_image(gyri, masks), margin_mm=8), gyri.shape, strict=True)
    )
    fine = finer_grid(raw, box)
    here = on_scan(fine, person, to_scan=to_scan)
    grey, csf = (
        resample(load_image(near(anat, f"label-{t}_probseg.nii.gz")), fine, [np.linalg.inv(to_scan)])
        for t in ("GM", "CSF")
    )
    found, listed = precentral_regions(grey, here.white_matter, csf, here.weights, here.table, here.mni_mm)
    share = {
        (bank, part, hemi): average(np.asarray(select(found, listed, f"{bank}_{part.split('_')[1]}", hemi).dataobj))
        for bank in BANKS
        for part, hemi in SIDES
    }
    brain, even = (load_image(near(swi, f"space-swi_desc-{n}.nii.gz")) for n in ("brain_mask", "normalised_swi"))
    return Scanned(raw, brain, even, masks, names, box, share)


def finer_grid(image: SpatialImage, box: tuple[slice, ...]) -> SpatialImage:
    first, shape = np.array([b.start for b in box]), np.array([b.stop - b.start for b in box])
    affine = image.affine.copy()
    affine[:3, 3] = (image.affine @ [*(first - 0.5 + 0.5 / FINER), 1.0])[:3]
    affine[:3, :3] /= FINER
    return nb.Nifti1Image(np.zeros(shape * FINER, np.uint8), affine)


def average(values: np.ndarray) -> np.ndarray:
    """Mean of the fine grid's points in each voxel."""
    shape = np.array(values.shape) // FINER
    return values.reshape(*np.stack([shape, FINER], axis=1).ravel()).mean(axis=(1, 3, 5))


@pytest.fixture(scope="module")
def healthy(seven) -> dict[str, pd.DataFrame]:
    return {who: person.planted(0.0, []) for who, person in seven.items()}


def others(healthy: dict[str, pd.DataFrame], who: str) -> dict[str, pd.Series]:
    return {name: contrasts(rows) for name, rows in healthy.items() if name != who}


def test_real_people_vary_as_is_stated(healthy):
    for measure in MEASURES:
        found = spread({who: contrasts(rows, measure) for who, rows in healthy.items()})
        print(f"\n{measure}: SD {found}")
        assert found == pytest.approx(REAL_SD[measure], abs=0.002)


def test_nobody_has_the_sign(healthy):
    total = {who: scores(contrasts(rows), others(healthy, who))[TOTAL] for who, rows in healthy.items()}
    print(f"\n{total}")
    assert max(total.values()) < 3


def test_a_band_in_one_hand_is_found(seven, healthy):
    found = {
        strength: [
            scores(contrasts(person.planted(strength, [key])), others(healthy, who))[key]
            for who, person in seven.items()
            for key in HANDS
        ]
        for strength in STRENGTHS
    }
    print(f"\n{told('one hand', found)}")
    assert sum(np.array(found[0.15]) >= 1) >= 12
    assert sum(np.array(found[0.10]) >= 1) >= 8


def test_a_band_in_all_regions_scores_eight_or_more(seven, healthy):
    total = [scores(contrasts(p.planted(0.15, SIDES)), others(healthy, who))[TOTAL] for who, p in seven.items()]
    print(f"\nall six regions at 15%: {total}")
    assert min(total) >= 8


@pytest.mark.parametrize("bank", BANKS[1:])
def test_darkening_of_a_neighbour_scores_nothing(seven, healthy, bank):
    total = [scores(contrasts(p.planted(0.15, SIDES, bank)), others(healthy, who))[TOTAL] for who, p in seven.items()]
    assert max(total) == 0, total


def test_a_band_does_not_change_the_shading_that_is_found(seven):
    who, person = next(iter(seven.items()))
    once, anew = (contrasts(person.planted(0.15, SIDES, anew=anew)) for anew in (False, True))
    print(f"\n{who}: {(anew - once).round(4).to_dict()}")
    assert (anew - once).abs().max() < 0.01
