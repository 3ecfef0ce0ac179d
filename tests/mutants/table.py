"""The bugs that are planted: where, what, and what each would do to a result."""

from pathlib import Path
from typing import NamedTuple

CODE = ("mndmri/**/*.py", "workflow/rules/*.smk", "scripts/*.py")


class Mutant(NamedTuple):
    """A change of one place in the code that makes a result wrong."""

    name: str
    was: str
    """Text that stands once in all of the code, whichever file it moves to."""
    becomes: str
    harm: str


def place_of(mutant: Mutant, root: Path) -> Path:
    """File in which the text of a mutant stands, relative to ``root``.

    Raises
    ------
    LookupError
        Unless it stands in the code exactly once.
    """
    found = [path for pattern in CODE for path in sorted(root.glob(pattern)) if mutant.was in path.read_text()]
    count = sum(path.read_text().count(mutant.was) for path in found)
    if count != 1:
        raise LookupError(f"{mutant.name}: its text stands in the code {count} times, expected once: {mutant.was!r}")
    return found[0].relative_to(root)


MUTANTS = (
    # grids and registration
    Mutant(
        "itk-sign",
        "return RAS_TO_LPS @ lps @ RAS_TO_LPS",
        "return lps",
        "shifts and turns that ITK finds go the wrong way along x and y",
    ),
    Mutant(
        "sign-convention",
        "_OTHER_SIGNS = (-1, -1, 1)",
        "_OTHER_SIGNS = (1, 1, 1)",
        "displacement fields hold together, but are not what ITK and ANTs take and give",
    ),
    Mutant(
        "chain-order",
        "for transform in transforms:\n        if isinstance",
        "for transform in reversed(transforms):\n        if isinstance",
        "a chain of transforms is run through backwards: atlas regions land beside the person's",
    ),
    Mutant(
        "sulcus-of-one-gyrus",
        "return either & (lead[0] * lead[1] < 0)",
        "return either",
        "folds within a gyrus, and the sulci in front of and behind the two, count as the central sulcus",
    ),
    Mutant(
        "jacobian-factor",
        "change = np.linalg.det(slopes) / np.linalg.det(field.affine[:3, :3])",
        "change = np.linalg.det(slopes)",
        "modulated grey matter is wrong by the volume of a voxel on every grid but 1 mm",
    ),
    Mutant(
        "head-size-twice",
        "modulated.get_fdata(dtype=np.float32) / np.float32(size)",
        "modulated.get_fdata(dtype=np.float32) * np.float32(size)",
        "maps corrected for head size depend on it twice over",
    ),
    Mutant(
        "half-voxel",
        "affine[:3, :3] @ [0.5, 0.5, 0.5]",
        "affine[:3, :3] @ [0.0, 0.0, 0.0]",
        "everything on a resampled grid lies half a voxel off",
    ),
    Mutant(
        "box-edge",
        "int(found[-1] + reach[axis]) + 1",
        "int(found[-1] + reach[axis])",
        "the last plane of every box is cut off",
    ),
    Mutant(
        "mm3-for-ml",
        "np.linalg.det(image.affine[:3, :3]))) / 1000.0",
        "np.linalg.det(image.affine[:3, :3])))",
        "volumes are in mm3 and said to be in ml",
    ),
    Mutant(
        "slice-axis",
        "return 2 - int(np.argmax(np.round(voxel_sizes(image)[::-1], 2)))",
        "return int(np.argmax(np.round(voxel_sizes(image)[::-1], 2)))",
        "the phase is filtered across the slices instead of within them",
    ),
    Mutant(
        "labels-interpolated",
        '{"nearest": 0, "linear": 1, "cubic": 3}',
        '{"nearest": 1, "linear": 1, "cubic": 3}',
        "between two labels lies a third, and masks are worn at their edges",
    ),
    # T1w
    Mutant(
        "reference-of-one-side",
        'for hemi in "LR":\n            own = usable',
        'for hemi in "L":\n            own = usable',
        "a coil's shading from left to right passes for a signal of the tracts",
    ),
    Mutant(
        "head-size-of-another",
        'own = values.reindex(participants["participant_id"]).to_numpy(float)',
        "own = values.to_numpy(float)",
        "people get each other's head size as covariate",
    ),
    Mutant(
        "scan-to-t1w",
        "to_t1w: list[Transform] = [np.linalg.inv(to_scan if",
        "to_t1w: list[Transform] = [np.asarray(to_scan if",
        "regions are brought to a scan against the head's movement: off by twice of it",
    ),
    # diffusion
    Mutant(
        "bvec-flip",
        "-1.0 if np.linalg.det(axes) > 0 else 1.0",
        "-1.0 if np.linalg.det(axes) < 0 else 1.0",
        "directions are mirrored in x against FSL's convention: fibres leave the white matter",
    ),
    Mutant(
        "rotated-the-wrong-way",
        "np.swapaxes(np.asarray(rotations)[:, :3, :3], 1, 2)",
        "np.asarray(rotations)[:, :3, :3]",
        "gradient directions of a head that moved are off by twice the movement",
    ),
    Mutant(
        "radial-eigenvalues",
        "values[:, 1:].mean(axis=1)",
        "values[:, :2].mean(axis=1)",
        "RD is the mean of the first two eigenvalues, and rises with FA",
    ),
    Mutant(
        "tract-without-fa-mask",
        "return np.clip(wm_probability.get_fdata(), 0, 1) * (fa.get_fdata() > min_fa)",
        "return np.clip(wm_probability.get_fdata(), 0, 1)",
        "voxels that are no tract take part in its means and in the profile",
    ),
    Mutant(
        "node-order",
        '"node": np.arange(1, N_NODES + 1)})\n            side["position_mm"]',
        '"node": np.arange(N_NODES, 0, -1)})\n            side["position_mm"]',
        "the profile's nodes are counted from the cortex: losses are told of the pons",
    ),
    Mutant(
        "level-border",
        '"cst_plic": (-4.5, 18.5),\n    "cst_corona_radiata": (18.5, 44.5),',
        '"cst_plic": (-4.5, 28.5),\n    "cst_corona_radiata": (28.5, 44.5),',
        "the lower corona radiata is measured as internal capsule",
    ),
    Mutant(
        "asymmetry-sign",
        'left["value"] - right["value"]',
        'right["value"] - left["value"]',
        "the worse side is told to be the better one",
    ),
    Mutant(
        "degrees",
        "turn = Rotation.from_matrix(step[:3, :3]).as_rotvec()\n",
        "turn = Rotation.from_matrix(step[:3, :3]).as_rotvec(degrees=True)\n",
        "turns count 57 times: everybody's framewise displacement is out of range",
    ),
    Mutant(
        "lost-slice-above",
        "return lost[below] | lost[above]",
        "return lost[below]",
        "of voxels that lie between a slice and a lost one above it, the loss stays in the tensor",
    ),
    Mutant(
        "eddy-transposed",
        "matrix[:3, :3] += np.outer(target.phase, eddy)",
        "matrix[:3, :3] += np.outer(eddy, target.phase)",
        "eddy currents are undone along all axes by the position on the phase axis alone",
    ),
    Mutant(
        "phase-way-as-stored",
        'int(-flip if letter.endswith("-") else flip)',
        'int(-1 if letter.endswith("-") else 1)',
        "in scans stored from left to right or front to back the distortion is doubled",
    ),
    Mutant(
        "polarity-lost",
        "np.float32(encoding.readout_s * encoding.polarity)",
        "np.float32(encoding.readout_s)",
        "a series encoded from anterior to posterior is distorted twice over by its field map",
    ),
    Mutant(
        "fsl-x",
        "vector[axis] = -polarity if axis == 0 else polarity",
        "vector[axis] = polarity",
        "topup is told the wrong way along x",
    ),
    Mutant(
        "jacobian-sign",
        "1 + there[..., 1]",
        "1 - there[..., 1]",
        "where distortion has piled up signal the correction makes it brighter still",
    ),
    Mutant(
        "radians-for-hertz",
        '"rad/s": 1 / (2 * np.pi)',
        '"rad/s": 1.0',
        "a field in rad/s moves signal six times too far",
    ),
    Mutant(
        "tracked-on-the-other-side",
        "own = white & (sign * side > MIDLINE_MM)",
        "own = white & (-sign * side > MIDLINE_MM)",
        "the left tract is looked for in the right hemisphere, and none is found",
    ),
    # susceptibility
    Mutant(
        "phase-mask-sign",
        "1 - paramagnetic_sign * filtered / np.pi",
        "1 + paramagnetic_sign * filtered / np.pi",
        "the phase mask darkens what is diamagnetic, and spares iron",
    ),
    Mutant(
        "polarity-of-phase",
        "make_image(sign * part.get_fdata(dtype=np.float32), brain)",
        "make_image(part.get_fdata(dtype=np.float32), brain)",
        "iron is diamagnetic in scans of half of the vendors",
    ),
    Mutant(
        "veins-kept",
        "region_values(normalised, masks, table, signal & ~vein)",
        "region_values(normalised, masks, table, signal)",
        "veins pass for a motor band",
    ),
    Mutant(
        "banks-swapped",
        '"precentral_posterior": pre & (to_post < to_front)',
        '"precentral_posterior": pre & (to_post > to_front)',
        "the band is looked for on the premotor bank",
    ),
    Mutant(
        "ppb",
        "to_ppm = 1e6 / (2 * np.pi",
        "to_ppm = 1e9 / (2 * np.pi",
        "susceptibility is in ppb and said to be in ppm",
    ),
    Mutant(
        "field-axis",
        "image.affine[2, :3] / voxel_sizes(image)",
        "image.affine[:3, 2] / voxel_sizes(image)",
        "in an oblique scan the dipole is inverted along the wrong direction",
    ),
    Mutant(
        "echo-times-in-ms",
        "MAX_ECHO_TIME_S = 0.2",
        "MAX_ECHO_TIME_S = 200.0",
        "echo times in milliseconds pass, and R2* and fields are a thousand times too low",
    ),
    Mutant(
        "reference-with-tract",
        "\n        & (cst <= _REFERENCE_MAX_CST)",
        "",
        "the corticospinal tract is part of the white matter that the band is compared with",
    ),
    # tables
    Mutant(
        "bank-direction",
        '("swi", "bank_ratio"): -1',
        '("swi", "bank_ratio"): 1',
        "a darker posterior bank counts as health: an AUC of 0.9 reads 0.1",
    ),
    Mutant(
        "missing-is-zero",
        'full["value"] = full["value"].astype(float)',
        'full["value"] = full["value"].astype(float).fillna(0.0)',
        "who was not scanned has an FA of 0",
    ),
    Mutant(
        "freesurfer-sides",
        '{"lh": "L", "rh": "R"}',
        '{"lh": "R", "rh": "L"}',
        "a user's own left thickness is told of the right",
    ),
    Mutant(
        "outliers-over-groups",
        'groupby(["modality", "measure", "region", "hemi", "group"], sort=False)',
        'groupby(["modality", "measure", "region", "hemi"], sort=False)',
        "patients are flagged as outliers for being ill",
    ),
    Mutant(
        "rows-of-others",
        'by_key[key].reindex(people["participant_id"]).to_numpy()',
        "by_key[key].to_numpy()[: len(people)]",
        "in the wide table people get each other's values where one lacks a row",
    ),
    # statistics
    Mutant(
        "holm-for-fdr",
        'corrected(table[chosen], ["test", "contrast"], stats.false_discovery_control)\n    return table',
        'corrected(table[chosen], ["test", "contrast"], holm)\n    return table',
        "what is called a false discovery rate is a family-wise p",
    ),
    Mutant(
        "one-sided",
        "p = float(2 * stats.t.sf(abs(t), df))",
        "p = float(stats.t.sf(abs(t), df))",
        "every p of a contrast is halved",
    ),
    Mutant(
        "covariates-cost-nothing",
        "df = len(y) - rank\n    ssr",
        "df = len(y) - len(design.groups)\n    ssr",
        "covariates take no degree of freedom: errors are too small",
    ),
    Mutant(
        "highest-of-one-sign",
        "np.abs(enhanced(statistic)).max() for statistic in of_draw",
        "enhanced(statistic).max() for statistic in of_draw",
        "p corrected over the brain is that of one side, and called two-sided",
    ),
    Mutant(
        "sides-as-people",
        "stats.t.isf([MILD_SHARE, MARKED_SHARE], how.freedom)",
        'stats.t.isf([MILD_SHARE, MARKED_SHARE], 2 * row["n"] - 1)',
        "two sides of a control count as two people: the band's limits are too low",
    ),
    Mutant(
        "sites-alike",
        "return centre, float((squares + n * (mean - centre) ** 2).sum())",
        "return centre, float(squares.sum())",
        "pooled norms leave out how far the studies lie apart: limits are too low",
    ),
    Mutant(
        "shared-limits",
        'own = limits[(limits[KIND] == kind) & (limits["measure"] == CONTRAST[1])].set_index("region")',
        'own = limits[limits["measure"] == CONTRAST[1]].drop_duplicates("region").set_index("region")',
        "a magnitude is judged by the limits of susceptibility-weighted images",
    ),
    Mutant(
        "ipsilateral",
        'measured.key["hemi"] in (sides[score], *BY_ONSET)',
        'measured.key["hemi"] in (OPPOSITE[sides[score]], *BY_ONSET)',
        "limbs are correlated with the tract of their own side",
    ),
    Mutant(
        "threshold-missed",
        "(self.values >= self.threshold)",
        "(self.values > self.threshold)",
        "a motor band of exactly the threshold is absent",
    ),
    Mutant(
        "damage-in-controls",
        "sign = -declared if contrast.left == (reference,) else declared",
        "sign = declared",
        "where controls are named first, the area under the curve is turned round",
    ),
    # visits
    Mutant(
        "slope-per-month",
        'visits["months"].to_numpy(float)[order] / YEAR',
        'visits["months"].to_numpy(float)[order]',
        "slopes of the groups are a twelfth of what they are said to be",
    ),
    Mutant(
        "residuals-unadjusted",
        "return root.T @ (vectors * powers) @ vectors.T @ root",
        "return np.eye(len(covariance))",
        "errors of slopes are too small in groups of few people",
    ),
    Mutant(
        "trial-of-the-whole-slope",
        "difference = effect * abs(course.slope)",
        "difference = abs(course.slope)",
        "a trial is planned to see a change that stops altogether",
    ),
    Mutant(
        "baseline-without-values",
        '.sort_values("empty", kind="stable")',
        "",
        "who has no value at the first visit is in no comparison at one time, whatever they have later",
    ),
    Mutant(
        "last-session-from-onset",
        'seen["months"] - seen.groupby("participant_id")["months"].transform("min")',
        'seen["months"]',
        "with months since onset, an early session counts as the last, and those who stayed have left",
    ),
    # pages
    Mutant(
        "viewer-mirrored",
        "tiles[:n_slices] = channel.transpose(2, 1, 0)",
        "tiles[:n_slices] = channel[::-1].transpose(2, 1, 0)",
        "the viewer shows the image's left side under the letter R",
    ),
    Mutant(
        "viewer-of-another-file",
        '"to_file": _rounded(np.linalg.inv(scene["file_affine"])),',
        '"to_file": _rounded(np.linalg.inv(affine)),',
        "the viewer tells voxels of the part that it shows as voxels of the file",
    ),
    # workflow
    Mutant(
        "failed-branch",
        '"dwi": "dwi",\n',
        '"dwi": "swi",\n',
        "a failure in diffusion takes away the person's SWI, and leaves diffusion rows without files",
    ),
    Mutant(
        "written-among-the-scans",
        'path = Path(LOGS, "lost.json").resolve()',
        'path = Path(config["bids_dir"], "lost.json").resolve()',
        "what failed is noted in the user's dataset",
    ),
    Mutant(
        "already-corrected-map",
        'measure="corrected_volume",',
        'measure="volume",',
        "maps that are corrected for head size are adjusted for it again",
    ),
    Mutant(
        "unharmonised",
        "measures=MEASURES,\n        quality=OF_SCANS,\n    output:\n        comparisons=",
        "measures=TABLES.measures,\n    output:\n        comparisons=",
        "the groups are compared on values that still hold the scanners' differences",
    ),
)
