"""Stats tables of FreeSurfer, as a user brings them."""

import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.tables.freesurfer import read_aparc_stats, read_intracranial_volume, replace_rows, surface_measures
from mndmri.tables.measures import row

# name: vertices, area (mm2), volume (mm3), thickness (mm); left, to which the right adds 1000 mm3 and 0.1 mm
GYRI = {
    "bankssts": (1407, 933, 2328, 2.631),
    "caudalmiddlefrontal": (3500, 2300, 6600, 2.60),
    "paracentral": (2100, 1380, 3600, 2.41),
    "postcentral": (6100, 4000, 9400, 2.05),
    "precentral": (7200, 4700, 13500, 2.58),
    "rostralmiddlefrontal": (8000, 5400, 15400, 2.43),
    "superiorfrontal": (10400, 6900, 22100, 2.78),
}
ASEG = """# Title Segmentation Statistics
# subjectname sub-01
# Measure BrainSeg, BrainSegVol, Brain Segmentation Volume, 1126237.000000, mm^3
# Measure EstimatedTotalIntraCranialVol, eTIV, Estimated Total Intracranial Volume, 1512345.0, mm^3
# ColHeaders  Index SegId NVoxels Volume_mm3 StructName normMean normStdDev normMin normMax normRange
  1   4   5000   5100.0  Left-Lateral-Ventricle   35.0  10.0  10  90  80
"""


def aparc(hemi: str, *, subject: str = "sub-01", leave_out: str = "", more: str = "") -> str:
    right = hemi == "rh"
    lines = [
        "# Table of FreeSurfer cortical parcellation anatomical statistics",
        "#",
        f"# subjectname {subject}",
        f"# hemi {hemi}",
        "# Measure Cortex, NumVert, Number of Vertices, 130000, unitless",
        "# ColHeaders StructName NumVert SurfArea GrayVol ThickAvg ThickStd MeanCurv GausCurv FoldInd CurvInd",
    ]
    for name, (vertices, area, volume, thickness) in GYRI.items():
        if name != leave_out:
            numbers = f"{vertices} {area} {volume + 1000 * right} {thickness + 0.1 * right:.3f}"
            lines.append(f"{name:40s} {numbers} 0.397 0.085 0.015 6 0.9")
    return "\n".join(lines) + more + "\n"


FILES = {"lh.aparc.stats": aparc("lh"), "rh.aparc.stats": aparc("rh"), "aseg.stats": ASEG}


def values(files) -> pd.Series:
    return surface_measures(files).set_index(["measure", "region", "hemi"])["value"]


def test_a_table_is_read_as_it_stands():
    table = read_aparc_stats(aparc("rh")).set_index("structure")
    assert set(table["hemi"]) == {"R"}
    assert table.loc["precentral", "n_vertices"] == 7200
    assert table.loc["precentral", "volume_mm3"] == 14500
    assert table.loc["precentral", "thickness_mm"] == pytest.approx(2.68)


def test_gyri_become_our_rows_each_on_its_side():
    found = values(FILES)
    assert found["volume", "precentral", "L"] == pytest.approx(13.5)
    assert found["volume", "precentral", "R"] == pytest.approx(14.5)
    assert found["volume", "middle_frontal", "L"] == pytest.approx(6.6 + 15.4)
    assert found["thickness", "postcentral", "L"] == pytest.approx(2.05)
    assert found["thickness", "postcentral", "R"] == pytest.approx(2.15)
    assert found["volume", "tiv", "both"] == pytest.approx(1512.345)


def test_the_side_is_the_headers_whatever_the_order_or_a_silent_name():
    plain = {"one.stats": aparc("rh"), "two.stats": aparc("lh")}
    assert values(plain)["thickness", "precentral", "R"] == pytest.approx(2.68)
    assert ("volume", "tiv", "both") not in values(plain).index


@pytest.mark.parametrize(
    "names", [("lh.aparc.stats", "rh.aparc.stats"), ("sub-1_hemi-L_aparc.stats", "rh_aparc.stats")]
)
def test_swapped_hemispheres_are_refused(names):
    left, right = names
    with pytest.raises(InputError, match=r"name is of L, its header of R"):
        surface_measures({left: aparc("rh"), right: aparc("lh")})


def test_one_side_twice_or_missing_is_refused():
    with pytest.raises(InputError, match="both of the left hemisphere"):
        surface_measures({"one.stats": aparc("lh"), "two.stats": aparc("lh")})
    with pytest.raises(InputError, match=r"found: lh.aparc.stats; expected"):
        surface_measures({"lh.aparc.stats": aparc("lh")})


def test_files_of_two_people_are_refused():
    with pytest.raises(InputError, match="2 different subjects"):
        surface_measures(FILES | {"rh.aparc.stats": aparc("rh", subject="sub-02")})


def test_another_file_is_refused_by_name():
    with pytest.raises(InputError, match=r"lh.aparc.stats: no column NumVert, GrayVol, ThickAvg"):
        surface_measures(FILES | {"lh.aparc.stats": ASEG})
    with pytest.raises(InputError, match=r"aseg.stats: no EstimatedTotalIntraCranialVol"):
        surface_measures(FILES | {"aseg.stats": "# Title\n"})


def test_a_missing_structure_a_damaged_line_and_an_impossible_number_are_refused():
    with pytest.raises(InputError, match="no structure precentral"):
        read_aparc_stats(aparc("lh", leave_out="precentral"))
    with pytest.raises(InputError, match=r"line of insula has not 10 cells"):
        read_aparc_stats(aparc("lh", more="\ninsula 3000 2000"))
    with pytest.raises(InputError, match=r"precentral has 13500 mm3 and 25.8 mm"):
        read_aparc_stats(aparc("lh").replace("13500 2.580", "13500 25.80"))
    with pytest.raises(InputError, match="header has neither"):
        read_aparc_stats(aparc("lh").replace("# hemi lh\n", ""))
    with pytest.raises(InputError, match="expected 500000 to"):
        read_intracranial_volume(ASEG.replace("1512345.0", "1512.3"))


def test_the_users_rows_take_the_place_of_ours_and_the_others_stay():
    ours = pd.DataFrame(
        [
            row("t1w", "volume", "precentral", "L", 9.0, unit="ml", n_voxels=900),
            row("t1w", "volume", "supplementary_motor", "L", 5.0, unit="ml", n_voxels=500),
        ]
    )
    joined = replace_rows(ours, surface_measures(FILES)).set_index(["measure", "region", "hemi"])
    assert joined.index.is_unique
    assert joined.loc[("volume", "precentral", "L"), ["value", "n_voxels"]].tolist() == [13.5, 0]
    assert joined.loc[("volume", "supplementary_motor", "L"), ["value", "n_voxels"]].tolist() == [5.0, 500]
    assert (joined["status"] == "ok").all()
