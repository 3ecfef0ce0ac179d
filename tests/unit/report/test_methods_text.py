"""The methods of a study: what its config had done is said, and nothing else."""

import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from mndmri.atlas.own import space_of
from mndmri.cohort.config import resolve_config
from mndmri.provenance import versions
from mndmri.report.methods_text import REFERENCES, methods_paragraph, study_facts
from mndmri.statistics.prevalence import SCORE
from mndmri.susceptibility import qsm, regions
from mndmri.tables.band_norms import MARKED_SHARE, MILD_SHARE, PARTS
from mndmri.tables.given import BROUGHT

SCHEMA = yaml.safe_load((Path(__file__).parents[3] / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
GROUPS = {"ALS": 13, "PLS": 5, "control": 10}
VISITS = {"bids_dir": None, "measures": "m.tsv", "participants": "p.tsv", "visits": {"table": "v.tsv"}}
NOBODY = {"free_water": 0, "mk": 0, "signal_ratio": 0}
MAPPED = ("t1w", "swi", "qsm", "r2star")


def methods(
    n_by_group=GROUPS,
    scored=False,
    cord=True,
    midsagittal=True,
    by_shells=NOBODY,
    measured=(),
    own_covariates=None,
    excluded=None,
    without_t1w=None,
    **keys,
):
    config = resolve_config({"bids_dir": "study"} | keys, SCHEMA)
    return methods_paragraph(
        config,
        versions(),
        space=space_of(config["atlas"]),
        n_by_group=n_by_group,
        scored=scored,
        cord=cord,
        midsagittal=midsagittal,
        by_shells=by_shells,
        measured=measured,
        own_covariates=own_covariates,
        excluded=excluded,
        without_t1w=without_t1w,
    )


def qsm_methods(**keys):
    return paragraph(methods(measured=MAPPED, **keys), "Quantitative susceptibility mapping (QSM).")


def body(text):
    return text.split("**References**")[0]


def paragraph(text, heading):
    found = [part for part in text.split("\n\n") if part.startswith(f"**{heading}")]
    assert len(found) == 1
    return found[0]


def test_text_says_who_and_with_which_versions():
    text = methods()
    assert text.startswith(
        "Data of 28 participants (ALS, n = 13; PLS, n = 5; control, n = 10) were analysed with mndmri "
    )
    for name, version in versions().items():
        assert f"{name} {version}" in paragraph(text, "Software")


def test_modality_that_the_study_lacks_is_not_described():
    assert "**Diffusion" in methods()
    text = methods(modalities=["t1w"])
    for word in ("iffusion", "SWI", "usceptib", "FA ", "DIPY", "corpus callosum", "framewise"):
        assert word not in body(text).replace("dipy", "")
    assert "volume of precentral (T1w; left and right)." in text


@pytest.mark.parametrize(
    ("block", "key", "sentence"),
    [
        ("dwi", "denoise", "Marchenko-Pastur"),
        ("dwi", "gibbs", "Gibbs ringing was removed"),
        ("dwi", "motion", "Head motion and eddy currents were corrected"),
        ("dwi", "tractography", "the tract was tracked"),
        ("dwi", "motion", "framewise displacement"),
        ("swi", "bias_correction", "corrected for receive-coil inhomogeneity"),
        ("statistics", "pooled_patients", "all patients minus control"),
    ],
)
def test_step_is_described_where_it_was_switched_on_alone(block, key, sentence):
    assert sentence in methods(**{block: {key: True}})
    assert sentence not in methods(**{block: {key: False}})


def test_series_without_any_step_are_said_to_be_as_they_were():
    sentence = "neither denoised nor corrected for Gibbs ringing or head motion"
    assert sentence in methods(dwi={"denoise": False, "gibbs": False, "motion": False})
    assert sentence not in methods(dwi={"denoise": False, "gibbs": False})


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"denoise": "mrtrix3"}, "principal component analysis [2; 3] (MRtrix3"),
        ({"motion": "fsl"}, "corrected by FSL's eddy"),
        ({"distortion": "fsl"}, "corrected with FSL's topup"),
        ({"distortion": "fieldmap"}, "the displacement computed from a field map"),
        ({"distortion": False}, "Distortion by susceptibility was not corrected"),
        ({"outlier_sd": 5}, "Slices more than 5 standard deviations below"),
        ({"tensor_fit": "robust"}, "robust, iteratively reweighted least squares"),
        ({"preprocessed": True}, "The series had been preprocessed by the investigators"),
    ],
)
def test_the_chosen_way_of_a_step_is_named_and_no_other(options, sentence):
    words = " ".join(methods(dwi=options).split())
    start, _, end = sentence.partition(" [2; 3]")
    assert start in words and end in words
    assert " ".join((start + end).split()) not in " ".join(methods().split())


def test_swi_paragraph_names_regions_and_measures():
    text = paragraph(methods(), "Susceptibility-weighted images")
    for piece in (
        "grew by watershed down to the floors of the sulci",
        "sinuses as voxels of less than half the white matter's intensity",
        "also divided by the thickness of the cortex",
        "the control gyri (postcentral, superior and middle frontal)",
        "a filter for dark plates",
        "the contrast of the band, by how much the deep posterior bank is darker than",
        "fewer than 10 voxels or with signal in less than 80% of its extent",
    ):
        assert piece in text
    assert "R2" not in text


def test_body_parts_are_those_of_the_masks():
    leg, face = regions.LEG_MAX_X_MM, regions.FACE_MAX_Z_MM
    (x0, x1), (z0, z1) = regions.HAND_X_MM, regions.HAND_Z_MM
    text = methods()
    assert f"leg (x below {leg:g} mm, z from {regions.LEG_MIN_Z_MM:g} mm)" in text
    assert f"hand (x {x0:g} to {x1:g} mm, z {z0:g} to {z1:g} mm;" in text
    assert f"face (x from {leg:g} mm, z below {face:g} mm)" in text


def test_own_parcellations_take_the_place_of_the_atlas():
    own, atlas = methods(t1w={"parcellation_pattern": "anat/*_dseg.nii.gz"}), methods()
    sentence = "the labels of FreeSurfer or FastSurfer parcellations"
    assert sentence in own
    assert sentence not in atlas
    assert "the atlas's probabilities of the gyri" in atlas
    assert "the atlas's probabilities of the gyri" not in own


def test_susceptibility_is_described_where_it_was_measured_alone():
    heading = "**Quantitative susceptibility mapping (QSM).**"
    assert heading in methods(measured=MAPPED)
    for text in (
        methods(),
        methods(measured=("t1w", "swi", "r2star")),
        methods(measured=MAPPED, modalities=["t1w"]),
        methods(measured=MAPPED, bids_dir=None, measures="measures.tsv", participants="participants.tsv"),
    ):
        assert heading not in text
        assert "magic angle" not in text


def test_the_limit_of_mapped_susceptibility_is_told_where_there_is_any():
    said = "if susceptibility was mapped in less than 75% of the brain"
    assert said in methods(measured=MAPPED, qc={"min_mapped_fraction": 0.75})
    assert "if susceptibility was mapped" not in methods(measured=("t1w", "swi"))


def test_relaxation_is_described_where_it_was_measured_alone():
    sentence = "R2\\* was fitted"
    assert sentence in methods(measured=("swi", "r2star"))
    assert sentence not in methods(measured=("swi", "qsm"))
    assert sentence not in methods(measured=("t1w", "r2star"), modalities=["t1w"])


@pytest.mark.parametrize(
    ("block", "key", "sentences"),
    [
        ("qsm", "unwrapper", {"skimage": "(scikit-image) [", "romeo": "by ROMEO ["}),
        ("qsm", "method", {"total_variation": "a penalty on the total variation", "closed_form": "in closed form"}),
        ("qsm", "reference", {"brain": "The mean of the brain", "csf": "The mean of cerebrospinal fluid"}),
        ("swi", "paramagnetic_sign", {None: "chosen such that the globus pallidus", 1: "stated by the investigators"}),
    ],
)
def test_susceptibility_was_mapped_as_the_config_says(block, key, sentences):
    default = resolve_config({"bids_dir": "study"}, SCHEMA)[block][key]
    assert default == next(iter(sentences))
    for value, sentence in sentences.items():
        (other,) = set(sentences.values()) - {sentence}
        text = qsm_methods(**{block: {key: value}})
        assert sentence in text
        assert other not in text


def test_susceptibility_was_mapped_as_the_code_does():
    assert "values on the brain's boundary" in qsm_methods()
    assert qsm.PASSES == {"total_variation": 2, "closed_form": 1}
    assert "repeated once" in qsm_methods()
    assert "repeated once" not in qsm_methods(qsm={"method": "closed_form"})


def test_own_brain_masks_take_the_place_of_the_network():
    text = methods(t1w={"mask_pattern": "anat/*_mask.nii.gz"})
    assert "Brain masks were supplied" in text
    assert "convolutional" not in text


def test_numbers_are_those_of_the_config():
    text = methods(
        t1w={"registration_mm": 2.5, "registration_iterations": [40, 20]},
        dwi={"max_b": 1500, "min_fa": 0.25, "min_coverage": 0.7, "min_voxels": 12},
        swi={"dark_percentile": 2.5, "max_in_plane_mm": 1.25},
        qc={
            "max_mean_fd_mm": 0.8,
            "max_outlier_slices": 0.03,
            "min_neighbour_correlation": 0.65,
            "min_cst_fa_share": 0.55,
        },
        statistics={"n_permutations": 9999, "alpha": 0.01, "specificity": 0.95},
    )
    for piece in (
        "2.5 mm voxels, at most 40 and 20 iterations",
        "b up to 1500 s/mm²",
        "FA above 0.25",
        "less than 70% of its extent, or by fewer than 12 voxels",
        "percentile 2.5 of",
        "more than 1.25 mm in the plane",
        "exceeded 0.8 mm or more than 3% of the slices were outliers",
        "correlated by less than 0.65 on average",
        "if less than 70% of a level of the tract",
        "less than 55% of the corticospinal tract",
        "9999 flips of the signs of the residuals",
        "specificity of at least 0.95",
        "at a level of 0.01; intervals are of 99%",
    ):
        assert piece in text


def test_covariates_and_contrasts_are_named():
    text = methods(covariates=["age", "sex", "tiv"], statistics={"contrasts": [["PLS", "ALS"], ["ALS", "control"]]})
    assert "analysis of covariance (type II) with age, sex and tiv as covariates" in text
    assert "adjusted differences PLS minus ALS and ALS minus control, and all patients minus control" in text
    one = methods(covariates=["age"])
    assert "with age as covariate, each group with a variance of its own" in one
    assert "Satterthwaite's degrees of freedom [" in one and "of the adjusted differences ALS minus PLS" in one
    none = methods(covariates=[])
    assert "by analysis of variance, without covariates, each group with a variance of its own" in none
    assert "(Welch's test) of the differences ALS minus PLS" in none
    assert "covariance" not in body(none)


def test_covariates_of_some_measures_are_named_where_both_were_measured():
    rows = [("sub-1", "t1w", "volume", "tiv", "both", 1400.0), ("sub-1", "t1w", "volume", "precentral", "L", 12.0)]
    columns = ["participant_id", "modality", "measure", "region", "hemi", "value"]
    measures = pd.DataFrame(rows, columns=columns)
    people = pd.DataFrame({"participant_id": ["sub-1"], "group": "ALS"})
    options = {"groups": GROUPS, "score": SCORE, "measure_covariates": {"t1w volume": ["tiv"], "dwi": ["mean_fd"]}}
    assert study_facts(measures, people, **options)["own_covariates"] == {"t1w volume": ["tiv"]}
    assert study_facts(measures.iloc[1:], people, **options)["own_covariates"] == {}
    assert study_facts(measures.iloc[:1], people, **options)["own_covariates"] == {}
    text = methods(own_covariates={"t1w volume": ["tiv"]})
    assert "age and sex as covariates, further covariates (TIV for T1w volume), each group" in text
    assert "further covariates" not in methods()


def test_two_groups_have_one_contrast_and_a_family_of_measures():
    text = methods(groups={"levels": {"ALS": ["ALS"], "control": ["HC"]}}, n_by_group={"ALS": 2, "control": 3})
    assert "differences ALS minus control; these" in text
    assert "over all primary measures, which were chosen in advance" in text
    assert "over the pairs of groups" not in text
    assert "all patients" not in text


def test_study_without_primary_measures_has_no_confirmatory_family_and_no_index():
    text = methods(statistics={"primary": []})
    assert "No measure was chosen in advance, and all results are exploratory; the false discovery rate" in text
    for word in ("Confirmatory", "primary measure", "logistic", "Holm"):
        assert word not in text


def test_motor_band_sign_is_described_as_it_was_judged():
    assert "motor band" not in methods().lower()
    scored, rated = methods(scored=True), methods(statistics={"rated_sign": "mcli"})
    both = methods(scored=True, statistics={"rated_sign": "mcli"})
    assert "was rated as present from a score of 3; its prevalence" in scored
    assert "The motor band sign [" in rated
    assert "was rated visually; its prevalence" in rated
    assert "present from a score of 3, and was also rated visually; its prevalence" in both
    assert "kappa" in both
    assert "kappa" not in scored + rated


def test_score_rests_on_the_limits_that_the_config_names():
    own, given = methods(scored=True), methods(scored=True, swi={"norms": "cutoffs.tsv"})
    assert "estimated from the reference group (control), with leave-one-out limits for its own members" in own
    assert "another study" not in own
    assert "estimated from the controls of another study and supplied by the investigators" in given
    assert "leave-one-out" not in given
    for text in (own, given):
        assert "The total of 0 to 12 was not assessable where an area was not assessable" in text
        shares = [100 * share * 2 * len(PARTS) for share in (MILD_SHARE, MARKED_SHARE)]
        assert "at most {:g}% and {:g}% of controls".format(*shares) in text
    assert "prediction limits" not in methods()


def test_sites_are_described_where_there_are_several():
    assert "site" not in paragraph(methods(), "Statistics")
    text = methods(site="scanner")
    assert "with age, sex and scanner as covariates" in text
    assert "leaving out one site at a time" in text
    assert "ComBat" not in text
    combat = methods(site="scanner", statistics={"harmonise": "combat_controls"})
    assert "Effects of scanner were removed from the measures by ComBat" in combat
    assert "estimated from the reference group (control)" in combat
    assert "with age and sex as covariates" in combat


def test_clinical_scores_and_progression_are_named():
    text = methods(clinical_scores=["alsfrs"], progression={"score": "alsfrs", "months": "onset"})
    assert "correlated with alsfrs and the rate of progression" in text
    assert "(48 - alsfrs) / onset" in text
    assert "correlated with" not in body(methods())


def test_measures_that_were_given_are_not_described():
    text = methods(bids_dir=None, measures="measures.tsv", participants="participants.tsv")
    assert "had been computed beforehand" in text
    assert [re.match(r"\*\*[^*]*\*\*", part)[0] for part in text.split("\n\n") if part.startswith("**")] == [
        "**Statistics.**",
        "**Software.**",
        "**References**",
    ]
    assert "ANTs" not in text


def test_simulated_and_excluded_people_are_said():
    assert methods(simulation={}).startswith("The participants and their scans were simulated.")
    assert "2 participants were excluded" in methods(exclude={"sub-1": "moved", "sub-2": "moved"})
    assert "1 participant was excluded" in methods(exclude={"sub-1": "moved"})


def test_scans_that_readers_excluded_are_counted_by_modality():
    said = methods(excluded={"all": 1, "swi": 2, "qsm": 1})
    assert (
        "excluded all scans of 1 participant, the SWI scan of 2 participants and the QSM map of 1 participant." in said
    )
    assert "Readers inspected" not in methods()


def test_ratings_by_eye_are_said_with_how_agreement_is_reported():
    said = methods(scored=True, ratings=["a.tsv", "b.tsv"])
    assert "Agreement between raters and with the automated score is reported by area as Cohen's kappa" in said
    assert "with the automated score" not in methods(ratings="a.tsv")
    assert "rated the motor band" not in methods(scored=True)


def test_change_over_visits_is_described_with_who_left():
    said = methods(**VISITS)
    assert "All other comparisons are of one visit of each participant, the first with measures." in said
    assert "degrees of freedom of each group" in said and "combined as in Welch's test" in said
    assert "missing in" not in said and "linear mixed model" not in methods()
    assert "participant, ses-01." in methods(**VISITS | {"visits": {"table": "v.tsv", "baseline": "ses-01"}})
    config = resolve_config(VISITS, SCHEMA)
    left = methods_paragraph(
        config, versions(), space="MNI", n_by_group=GROUPS, visits_left=["5 of 13 ALS", "0 of 5 PLS"]
    )
    assert "The study's last visit was missing in 5 of 13 ALS and 0 of 5 PLS." in left


@pytest.mark.parametrize(
    "keys",
    [
        {},
        {"modalities": ["t1w"]},
        {"site": "scanner", "statistics": {"harmonise": "combat", "rated_sign": "mcli"}},
        {"measured": MAPPED},
        {
            "measured": MAPPED,
            "qsm": {"method": "closed_form", "unwrapper": "romeo"},
            "t1w": {"parcellation_pattern": "*"},
        },
        {"bids_dir": None, "measures": "m.tsv", "participants": "p.tsv", "covariates": []},
        VISITS,
    ],
)
def test_references_are_numbered_as_they_appear_and_are_those_cited(keys):
    text = methods(scored=True, **keys)
    cited = [int(n) for group in re.findall(r"(?<!\\)\[([\d, ]+)\]", body(text)) for n in group.split(", ")]
    listed = re.findall(r"^(\d+)\. (.+)$", text, flags=re.MULTILINE)
    assert list(dict.fromkeys(cited)) == [int(n) for n, _ in listed] == list(range(1, len(listed) + 1))
    assert {entry for _, entry in listed} <= set(REFERENCES.values())
    assert len({entry for _, entry in listed}) == len(listed)
    assert "@" not in body(text)


def test_every_reference_is_cited_by_some_study_and_says_where_it_is():
    everything = (
        methods(
            scored=True,
            by_shells={"free_water": 2, "mk": 2, "signal_ratio": 2},
            measured=MAPPED,
            site="s",
            survival={"time": "lived", "event": "died"},
            ratings="ratings.tsv",
            statistics={"harmonise": "combat", "rated_sign": "mcli"},
        )
        + methods(
            measured=MAPPED,
            qsm={"unwrapper": "romeo", "method": "closed_form"},
            t1w={"registration_engine": "ants", "template": "study"},
            dwi={
                "denoise": "mrtrix3",
                "motion": "fsl",
                "distortion": "fieldmap",
                "tensor_fit": "robust",
            },
            without_t1w={"dwi": 1, "swi": 1},
        )
        + methods(**VISITS)
    )
    for reference in REFERENCES.values():
        assert reference in everything
        assert re.search(r"(19|20)\d\d[;,. ]", reference)
        assert reference.endswith(".")


def test_what_a_study_asks_for_beyond_the_comparisons_is_told():
    plain = methods()
    for words in ("stored norms", "side of onset", "Survival", "predictive values", "same site"):
        assert words not in plain
    assert "compared with the controls (each control with the others) by W-scores" in plain
    full = methods(
        norms="norms.tsv",
        onset_side="onset",
        site="site",
        survival={"time": "lived", "event": "died", "covariates": ["bulbar"]},
        statistics={"prevalence": 0.3, "harmonise": "combat", "equivalence_sd": 0.8},
    )
    assert "stored norms of another study's controls" in full
    assert "(areas of the W-scores below, but of the measures as measured)" in full
    assert "(areas of the W-scores below)" in plain
    harmonised = methods(site="site", statistics={"harmonise": "combat"})
    assert "(areas of the W-scores below, but of the measures as measured, with the site as a covariate)" in harmonised
    alone = methods(norms="norms.tsv", groups={"levels": {"ALS": ["ALS"], "PLS": ["PLS"]}, "reference": None})
    assert "also adjusted for covariates (areas of the W-scores below)" in alone
    assert "the groups of patients as strata, alone and adjusted for bulbar" in full
    assert "predictive values at a prevalence of 0.3" in full
    assert "only participants of the same site were compared" in full
    assert "ComBat being learnt from the training participants of each fold" in full
    assert "within 0.8 residual standard deviations" in full


def test_w_scores_by_stored_norms_have_the_covariates_of_the_norms_and_not_those_of_the_study():
    adjusted = {"own_covariates": {"t1w volume": ["tiv"]}}

    def scores(text):
        return re.search(r"by W-scores, .*? divided", text)[0]

    own, stored = (scores(methods(**adjusted, **keys)) for keys in ({}, {"norms": "norms.tsv"}))
    assert "TIV" in own and "named in the norms" not in own
    assert "TIV" not in stored
    assert "and, for some measures, the further covariates named in the norms, divided" in stored


def test_names_of_the_user_are_text_and_never_markup():
    wild = "A*L_S [@fisch2024] <b>***` | 運動ニューロン疾患"
    text = methods(
        groups={"levels": {wild: ["1"], "control": ["0"]}},
        covariates=["age_at_onset", "{{ 1 }}"],
        n_by_group={wild: 2, "control": 1},
    )
    assert r"A\*L\_S \[\@fisch2024\] \<b\>\*\*\*\` \| 運動ニューロン疾患, n = 2" in text
    assert r"with age\_at\_onset and {{ 1 }} as covariates" in text
    assert len(text.split("\n\n")) == len(methods().split("\n\n"))


def test_paragraphs_are_lines_without_double_or_lacking_spaces():
    for text in (
        methods(scored=True, measured=MAPPED, site="s", clinical_scores=["a"]),
        methods(measured=MAPPED, qsm={"unwrapper": "romeo", "method": "closed_form"}, swi={"paramagnetic_sign": 1}),
        methods(covariates=[], modalities=["t1w"]),
    ):
        assert "  " not in text
        assert not re.search(r"[a-z\]][.;,][A-Z]|\w\[\d| [.,;]", body(text))
        assert all("\n" not in part for part in body(text).strip().split("\n\n"))


def test_template_and_regions_are_those_that_were_used():
    built_in, own = "Harvard-Oxford atlas", "investigators' own atlas"
    text = body(methods())
    assert "the MNI152NLin6Asym template" in text and built_in in text and "Juelich" in text and own not in text
    files = {"template": "t.nii", "space": "MNI152NLin2009cAsym", "labels": "l.nii", "table": "l.tsv"}
    mixed = body(methods(atlas=files))
    assert "the MNI152NLin2009cAsym template" in mixed and "MNI152NLin6Asym" not in mixed
    assert built_in in mixed and "Juelich" in mixed and own in mixed
    alone = body(methods(atlas=files | {"builtin": False}))
    assert own in alone
    for word in ("Harvard", "Juelich", "MNI152NLin6Asym"):
        assert word not in alone


def test_what_was_measured_in_somebody_and_whom_each_group_has_is_told():
    fa = {"modality": "dwi", "measure": "fa", "region": "cst", "hemi": "L"}
    of_region = SCORE | {"region": "precentral_leg", "hemi": "L"}
    measures = pd.DataFrame([fa | {"value": 0.5}, of_region | {"value": 1.0}, SCORE | {"value": None}])
    measures["participant_id"] = "sub-01"
    people = pd.DataFrame({"group": ["ALS", "control", "ALS"]})
    facts = study_facts(measures, people, groups=GROUPS, score=SCORE)
    assert facts == {
        "n_by_group": {"ALS": 2, "PLS": 0, "control": 1},
        "measured": {"dwi", "swi"},
        "own_covariates": {},
        "scored": False,
        "cord": False,
        "midsagittal": False,
        "by_shells": NOBODY,
        "imaged": {"dwi", "swi"},
        "brought": [],
    }
    described = {"dwi fa": {"Description": "from elsewhere", BROUGHT: "lab.xlsx"}}
    facts = study_facts(measures, people, groups=GROUPS, score=SCORE, described=described)
    assert (facts["imaged"], facts["brought"]) == ({"swi"}, ["FA of DWI"])
    total = pd.concat([measures, pd.DataFrame([SCORE | {"value": 3.0}])])
    assert study_facts(total, people, groups=GROUPS, score=SCORE)["scored"]
    neck = measures.iloc[:1].assign(modality="t1w", measure="csa", region="cord_c1c2", hemi="both", value=70.0)
    assert study_facts(neck, people, groups=GROUPS, score=SCORE)["cord"]
    assert not study_facts(neck.assign(value=np.nan), people, groups=GROUPS, score=SCORE)["cord"]
    brainstem = neck.assign(measure="area", region="pons")
    facts = study_facts(brainstem, people, groups=GROUPS, score=SCORE)
    assert facts["midsagittal"] and not facts["cord"]
    nothing = study_facts(measures.iloc[:0], people, groups=GROUPS, score=SCORE)
    assert (nothing["measured"], nothing["scored"]) == (set(), False)


def test_the_cord_is_told_of_where_it_was_measured():
    assert "cervical spinal cord" in methods()
    assert "cervical spinal cord" not in methods(cord=False)


def test_the_brainstem_is_told_of_where_it_was_measured_also_without_a_neck():
    assert "midsagittal plane" in methods(cord=False) and "midsagittal plane" not in methods(midsagittal=False)


def test_how_the_tract_was_checked_and_who_had_no_t1w_image_is_told():
    text = methods(dwi={"min_aligned_fraction": 0.3})
    assert "fewer than 30% of its voxels" in text
    assert "without a T1-weighted image" not in text
    assert "Of 1 participant without a T1-weighted image" in methods(without_t1w={"dwi": 1})
    assert "Of 2 participants without" in methods(without_t1w={"dwi": 2})


def test_who_was_located_by_the_gradient_echo_is_told_where_that_is_described():
    text = methods(without_t1w={"swi": 2})
    assert "Of 2 participants without a T1-weighted image" in paragraph(text, "Susceptibility-weighted images (SWI).")
    assert "FA and mean diffusivity, with the contrast" not in text


def test_a_declared_map_is_described_as_its_declaration_has_it():
    perfusion = {
        "pattern": "perf/*_cbf.nii.gz",
        "quantity": "relative",
        "where": ["gyri"],
        "register": "perf/*_m0.nii.gz",
    }
    mtr = {
        "pattern": "anat/*_MTRmap.nii.gz",
        "unit": "%",
        "aligned": "dwi",
        "voxelwise": {"tissue": "wm", "fwhm_mm": 6},
    }
    text = body(methods(maps={"mtr": mtr, "cbf": perfusion}))
    assert (
        "The map mtr was taken to be aligned to the DWI images and measured in the levels and 100 nodes of the "
        "corticospinal tract, on its own grid, as the mean (%)"
    ) in text
    assert "compared voxel by voxel after averaging over white matter (6 mm full width" in text
    assert "The map cbf was registered rigidly to the T1w image by another image of its grid" in text
    assert "as the ratio to its mean over the grey matter of the brain" in text
    assert "The map" not in body(methods())


def test_models_of_several_shells_are_described_with_those_who_have_them():
    text = paragraph(methods(by_shells={"free_water": 12, "mk": 1, "signal_ratio": 3}), "Diffusion")
    assert "In 12 participants with two shells up to b = 2100" in text
    assert "In 1 participant with two shells of at least 15 directions" in text
    assert "In 3 participants with a shell within 300 s/mm² of b = 1000" in text
    plain = methods()
    assert "kurtosis" not in plain and "free water" not in plain and "Tabesh" not in plain
    assert "b = 1000" not in plain


def test_series_with_several_shells_are_counted_by_person():
    rows = [
        ("sub-01", "dwi", "mk", "cst", "L", 0.9),
        ("sub-01", "dwi", "mk", "cst", "R", 0.9),
        ("sub-02", "dwi", "mk", "cst", "L", np.nan),
        ("sub-02", "dwi", "free_water", "cst", "L", 0.1),
        ("sub-03", "mine", "free_water", "cst", "L", 0.1),
        ("sub-01", "dwi", "signal_ratio", "cst", "L", 1.0),
        ("sub-02", "dwi", "signal_ratio", "cst", "L", 1.0),
        ("sub-03", "t1w", "signal_ratio", "cst", "L", 1.0),
    ]
    measures = pd.DataFrame(rows, columns=["participant_id", "modality", "measure", "region", "hemi", "value"])
    people = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": "ALS"})
    facts = study_facts(measures, people, groups=["ALS"], score=SCORE)
    assert facts["by_shells"] == {"free_water": 1, "mk": 1, "signal_ratio": 2}
