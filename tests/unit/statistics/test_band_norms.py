"""Norms of the motor band: several studies as one, and kinds of scan that share none."""

import numpy as np
import pandas as pd
import pytest

from mndmri.io import InputError, read_table, write_table
from mndmri.statistics.band_norms import pool_norms
from mndmri.statistics.motor_band import learn_cutoffs, score_motor_band
from mndmri.tables.band_norms import CUTOFF_COLUMNS, read_band_norms
from mndmri.tables.protocols import HOMODYNE_SWI, MAGNITUDE, VENDOR_SWI, protocol, protocol_table
from tests.unit.statistics.test_band_index import indices
from tests.unit.statistics.test_motor_band import PARTS, contrasts, people, plant, totals

NUMBERS = ["n", "n_both", "age_from", "age_to", "mean", "sd", "mean_both", "sd_both", "sides_r", "sides_alike"]
NUMBERS += ["mild_above", "marked_above"]


def scans(who, kind: str, **sidecar) -> pd.DataFrame:
    own = {"EchoTime": 0.02, "MagneticFieldStrength": 3, "Manufacturer": "SIEMENS"} | sidecar
    return protocol_table({one: protocol(kind, (1, 1, 3), [own]) for one in who})


@pytest.fixture
def three_sites():
    """31 controls, of whom some regions are missing on one side or both, with sites that lie apart."""
    rng = np.random.default_rng(2)
    everyone = people(control=31)
    measures = contrasts(everyone)
    site = measures["participant_id"].str[4:].astype(int).map(lambda n: 0 if n < 8 else 1 if n < 20 else 2)
    measures["value"] += 0.02 * rng.normal(size=len(measures)) + 0.03 * site
    lost = rng.random(len(measures)) < 0.1
    return (
        everyone.assign(age=rng.uniform(40, 80, 31)),
        measures.assign(value=measures["value"].mask(lost), status="not seen"),
        site,
    )


def test_pooled_norms_are_those_of_all_controls_together(three_sites, tmp_path):
    everyone, measures, site = three_sites
    paths = []
    for number in range(3):
        own = measures[site == number]
        table = learn_cutoffs(
            own, everyone[everyone["participant_id"].isin(own["participant_id"])], reference="control"
        )
        paths.append(tmp_path / f"{number}.tsv")
        write_table(table, paths[-1], digits=17)
    pooled = pool_norms(read_band_norms(paths))
    raw = learn_cutoffs(measures, everyone, reference="control")
    assert list(pooled["region"]) == list(raw["region"]) == list(PARTS)
    assert (pooled["n_studies"] == 3).all()
    pd.testing.assert_frame_equal(pooled[NUMBERS].astype(float), raw[NUMBERS].astype(float), rtol=1e-10)
    own_sd = [read_table(path)["sd"].mean() for path in paths]
    assert pooled["sd"].mean() > 1.2 * max(own_sd)  # the sites lie apart, and that is in the pooled SD


def test_norms_of_one_file_are_taken_as_they_are(three_sites, tmp_path):
    everyone, measures, _ = three_sites
    write_table(learn_cutoffs(measures, everyone, reference="control"), tmp_path / "one.tsv", digits=17)
    (table,) = read_band_norms([tmp_path / "one.tsv"])
    assert pool_norms([table]) is table


def test_the_same_controls_twice_are_refused(three_sites, tmp_path):
    everyone, measures, _ = three_sites
    for name in ("a.tsv", "b.tsv"):
        write_table(learn_cutoffs(measures, everyone, reference="control"), tmp_path / name, digits=17)
    with pytest.raises(InputError, match="hold the same controls; name each study once"):
        read_band_norms([tmp_path / "a.tsv", tmp_path / "b.tsv"])


def test_norms_of_fewer_than_six_controls_are_refused_with_the_file(tmp_path):
    five = people(control=5)
    write_table(learn_cutoffs(contrasts(five), five, reference="control"), tmp_path / "few.tsv")
    with pytest.raises(InputError, match=r"few\.tsv: .* n 5, .* expected at least 6 controls"):
        read_band_norms([tmp_path / "few.tsv"])


def test_kinds_of_scan_have_limits_of_their_own():
    """Magnitudes lie 0.2 higher here: with shared limits everybody with one would have a band everywhere."""
    everyone = people(ALS=4, control=20)
    ids = everyone["participant_id"]
    kinds = pd.concat([scans(ids[::2], MAGNITUDE), scans(ids[1::2], HOMODYNE_SWI)])
    measures = plant(contrasts(everyone), list(ids[::2]), amount=0.2)
    together = score_motor_band(measures, everyone, reference="control", protocols=kinds)
    assert (totals(together) <= 1).all()
    patients = together.query("group == 'ALS' and region == 'precentral'")
    for number, kind in enumerate((MAGNITUDE, HOMODYNE_SWI)):
        own = ids[number::2]
        alone = score_motor_band(
            measures[measures["participant_id"].isin(own)],
            everyone[everyone["participant_id"].isin(own)],
            reference="control",
            protocols=kinds.loc[own],
        )
        assert (kinds.loc[own, "kind"] == kind).all()
        pd.testing.assert_series_equal(totals(alone), totals(together).loc[list(own)])
    assert patients["value"].notna().all()
    cutoffs = learn_cutoffs(measures, everyone, reference="control", protocols=kinds)
    means = cutoffs.groupby("kind")["mean"].mean()
    assert means[MAGNITUDE] - means[HOMODYNE_SWI] == pytest.approx(0.2, abs=0.02)
    assert list(cutoffs.columns) == CUTOFF_COLUMNS


def test_who_has_a_kind_of_scan_that_the_limits_are_not_of_is_not_assessable():
    everyone = people(ALS=2, control=8)
    ids = everyone["participant_id"]
    kinds = pd.concat([scans(ids[:1], VENDOR_SWI), scans(ids[1:], MAGNITUDE)])
    own = score_motor_band(contrasts(everyone), everyone, reference="control", protocols=kinds)
    told = own.set_index(["participant_id", "region", "hemi"])["status"]["sub-00", "precentral", "both"]
    assert told == "not assessable: 0 controls with a scan of the kind vendor SWI to compare with, at least 5 needed"
    norms = learn_cutoffs(contrasts(everyone[2:]), everyone[2:], reference="control", protocols=kinds[2:])
    stored = score_motor_band(contrasts(everyone), everyone, reference="control", protocols=kinds, norms=norms)
    by_person = stored.set_index(["participant_id", "region", "hemi"])
    assert by_person.loc[("sub-00", "precentral", "both"), "status"] == (
        "not assessable: the limits are of scans of the kind magnitude, this one is vendor SWI: "
        "kinds do not share limits"
    )
    assert by_person.loc[("sub-01", "precentral", "both"), "status"] == "ok"


def test_pooling_keeps_kinds_apart_and_lists_the_protocols():
    tables = []
    for kind, echo in ((MAGNITUDE, 0.02), (MAGNITUDE, 0.025), (VENDOR_SWI, 0.02)):
        eight = people(control=8)
        options = {"reference": "control", "protocols": scans(eight["participant_id"], kind, EchoTime=echo)}
        tables.append(learn_cutoffs(contrasts(eight, seed=int(echo * 1000)), eight, **options))
    pooled = pool_norms(tables)
    assert pooled.groupby("kind")["n"].first().to_dict() == {MAGNITUDE: 16, VENDOR_SWI: 8}
    assert pooled.groupby("kind")["echo_times_ms"].first().to_dict() == {MAGNITUDE: "20; 25", VENDOR_SWI: "20"}


def test_a_kind_with_too_few_controls_does_not_spoil_the_norms_of_the_others(tmp_path):
    everyone = people(control=9)
    ids = everyone["participant_id"]
    kinds = pd.concat([scans(ids[:2], VENDOR_SWI), scans(ids[2:], MAGNITUDE)])
    norms = learn_cutoffs(contrasts(everyone), everyone, reference="control", protocols=kinds)
    assert norms.groupby("kind")["mild_above"].count().to_dict() == {MAGNITUDE: 3, VENDOR_SWI: 0}
    write_table(norms, tmp_path / "norms.tsv", digits=17)
    (read,) = read_band_norms([tmp_path / "norms.tsv"])
    assert len(read) == 6


def test_a_kind_whose_index_few_controls_have_keeps_its_limits(tmp_path):
    """The index is missing in everybody whose band is missing in one area."""
    everyone = people(control=16)
    ids = everyone["participant_id"]
    kinds = pd.concat([scans(ids[:8], VENDOR_SWI), scans(ids[8:], MAGNITUDE)])
    sides = np.random.default_rng(1).normal(0.01, 0.01, (16, 2))
    sides[:3] = np.nan
    measures = pd.concat([contrasts(everyone), indices(everyone, sides)], ignore_index=True)
    norms = learn_cutoffs(measures, everyone, reference="control", protocols=kinds)
    assert norms.query("measure == 'band_index'").set_index("kind")["n"].to_dict() == {MAGNITUDE: 8, VENDOR_SWI: 5}
    write_table(norms, tmp_path / "norms.tsv", digits=17)
    (read,) = read_band_norms([tmp_path / "norms.tsv"])
    scored = score_motor_band(measures, everyone, reference="control", protocols=kinds, norms=read)
    assert (scored["status"] == "ok").all()


def test_where_every_scan_was_lost_nobody_is_assessable():
    everyone = people(ALS=2, control=8)
    nothing = contrasts(everyone).assign(value=np.nan, status="the job failed")
    scored = score_motor_band(nothing, everyone, reference="control", protocols=protocol_table({}))
    assert (scored["status"] == "not assessable: the job failed").all()
    assert learn_cutoffs(nothing, everyone, reference="control", protocols=protocol_table({}))["n"].tolist() == [0] * 3
