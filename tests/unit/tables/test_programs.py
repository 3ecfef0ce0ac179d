"""Tables of other programs, as they write them, and columns that the config names."""

from pathlib import Path

import pandas as pd
import pytest
import yaml

from mndmri.cohort.config import resolve_config
from mndmri.io import InputError
from mndmri.tables.given import Given, files_of, read_given

ROOT = Path(__file__).parents[3]
SCHEMA = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
PEOPLE = ["sub-01", "sub-02"]
TABLE = """\
 LCModel (Version 6.3-1H) Copyright: S.W. Provencher.
$$CONC 5 lines in following concentration table = NCONC+1
   Conc.  %SD /Cr+PCr  Metabolite
   5.432   3%   0.812  NAA
   6.91E-02 999% 1.03E-02 Lac
   6.012   3%   0.899  NAA+NAAG
   1.204   4%   0.180 GPC+PCh
   9.050   8%   1.403+Glu+Gln
   0.210  30%   0.031 -CrCH2
   0.500  25%   0.075 2HG
$$MISC 5 lines in following misc. output table
  FWHM = 0.038 ppm    S/N = 27
"""


def entries(path: Path, **keys) -> list:
    return resolve_config({"bids_dir": "d", "tables": {"file": str(path), **keys}}, SCHEMA)["tables"]


def read(path: Path, **keys) -> Given:
    return read_given(entries(path, **keys), known=PEOPLE, studied=PEOPLE)


def values(given: Given) -> pd.Series:
    assert given.problems == []
    return given.rows.set_index(["participant_id", "modality", "measure", "region"])["value"]


def write(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


@pytest.mark.parametrize("name", ["mrs.table", "mrs.coord"])
def test_lcmodels_output_of_each_participant_is_read(tmp_path, name):
    for who, change in (("sub-01", "5.432"), ("sub-02", "4.100")):
        write(tmp_path / who / name, TABLE.replace("5.432", change))
    given = read(tmp_path / "sub-*" / name, region="precentral", hemi="L")
    found = values(given)
    assert found["sub-01", "mrs", "NAA", "precentral"] == 5.432
    assert found["sub-02", "mrs", "NAA", "precentral"] == 4.1
    assert found["sub-01", "mrs", "NAA+NAAG_to_cr", "precentral"] == 0.899
    assert found["sub-01", "mrs", "GPC+PCh", "precentral"] == 1.204
    assert found["sub-01", "mrs", "Glu+Gln_to_cr", "precentral"] == 1.403
    assert found["sub-01", "mrs", "CrCH2", "precentral"] == 0.21
    assert found["sub-01", "mrs", "2HG", "precentral"] == 0.5
    absent = given.rows[given.rows["measure"] == "Lac"]
    assert absent["value"].isna().all()
    assert set(absent["status"]) == {"not found by LCModel (bound of 999%)"}
    assert set(given.rows["hemi"]) == {"L"}
    wanted = [str(tmp_path / who / name) for who in PEOPLE]
    assert files_of(entries(tmp_path / "sub-*" / name, region="precentral")) == wanted


def test_lcmodels_csv_is_read(tmp_path):
    header = "Row, Col, NAA, NAA %SD, NAA/Cr+PCr, Lac, Lac %SD, Lac/Cr+PCr, -CrCH2, -CrCH2 %SD, -CrCH2/Cr+PCr"
    for who in PEOPLE:
        write(tmp_path / who / "spreadsheet.csv", f"{header}\n 1, 1, 5.1, 4, 0.8, 0.0, 999, 0.0, 0.2, 30, 0.03\n")
    found = values(read(tmp_path / "sub-*/spreadsheet.csv", region="precentral"))
    assert found["sub-02", "mrs", "NAA", "precentral"] == 5.1
    assert found["sub-02", "mrs", "NAA_to_cr", "precentral"] == 0.8
    assert pd.isna(found["sub-02", "mrs", "Lac", "precentral"])
    assert found["sub-02", "mrs", "CrCH2_to_cr", "precentral"] == 0.03


def test_the_unit_of_the_config_is_that_of_concentrations_and_not_of_ratios(tmp_path):
    write(tmp_path / "sub-01/mrs.table", TABLE)
    rows = read(tmp_path / "sub-*/mrs.table", region="precentral", unit="mM").rows.set_index("measure")
    assert (rows.loc["NAA", "unit"], rows.loc["NAA_to_cr", "unit"]) == ("mM", "1")
    assert set(read(tmp_path / "sub-*/mrs.table", region="precentral").rows["unit"]) == {"i.u.", "1"}


def test_a_pattern_that_finds_other_files_too_is_refused_in_any_order(tmp_path):
    """Else the rows of one of them would be lost without a word."""
    for name in ("a.csv", "z.csv"):
        header = "Row, Col, NAA, NAA %SD, NAA/Cr+PCr"
        write(tmp_path / "sub-01/m.csv", f"{header}\n 1, 1, 5.1, 4, 0.8\n")
        other = write(tmp_path / "sub-01" / name, "id,weight\n1,70\n")
        [problem] = read(tmp_path / "sub-*/*.csv", region="precentral").problems
        assert f"1 of 2 files are no tables of LCModel, Osprey or the Spinal Cord Toolbox ({other})" in problem
        other.unlink()


def test_an_lcmodel_table_without_a_concentration_says_which_column_it_lacks(tmp_path):
    write(tmp_path / "sub-01/m.csv", "Row, Col, NAA %SD, NAA/Cr+PCr\n 1, 1, 4, 0.8\n")
    [problem] = read(tmp_path / "sub-*/m.csv", region="precentral").problems
    assert "has a column 'NAA %SD' and none 'NAA'" in problem


def test_a_spectrum_needs_a_region(tmp_path):
    write(tmp_path / "sub-01/mrs.table", TABLE)
    assert "has no column 'region'" in read(tmp_path / "sub-*/mrs.table").problems[0]


def test_ospreys_rows_need_their_ids(tmp_path):
    path = write(tmp_path / "tCr.csv", "tNAA,tCr,tCho,Glx\n1.4,1,0.3,1.1\n1.2,1,0.35,1.0\n")
    assert "rows do not say whose they are" in read(path, region="precentral").problems[0]
    write(path, "participant_id,tNAA,tCr,tCho,Glx\nsub-01,1.4,1,0.3,1.1\nsub-02,1.2,1,0.35,1.0\n")
    assert values(read(path, region="precentral", unit="1"))["sub-02", "mrs", "tNAA", "precentral"] == 1.2


def test_the_spinal_cord_toolboxs_levels_become_regions(tmp_path):
    header = "Timestamp,SCT Version,Filename,Slice (I->S),VertLevel,DistancePMJ,MEAN(area),STD(area),MEAN(diameter_AP)"
    rows = [
        f"2026-01-01,7.0,/data/{who}/anat/{who}_T2w_seg.nii.gz,10:40,{level},,{area},2.0,7.9"
        for who, area in (("sub-01", 71.5), ("sub-02", 64.0))
        for level in ("2:3", "8")
    ]
    found = values(read(write(tmp_path / "csa.csv", "\n".join([header, *rows]) + "\n")))
    assert found["sub-01", "cord", "csa", "cord_c2c3"] == 71.5
    assert found["sub-02", "cord", "csa", "cord_t1"] == 64.0
    assert found["sub-02", "cord", "diameter_ap", "cord_c2c3"] == 7.9


def test_single_columns_of_a_wide_table_are_named_in_the_config(tmp_path):
    path = write(tmp_path / "nfl.csv", "participant_id,nfl_pg_ml,weight\nsub-01,88.5,70\nsub-02,61,82\n")
    wide = {"nfl_pg_ml": {"measure": "nfl", "region": "serum", "hemi": "both", "unit": "pg/ml"}}
    given = read(path, modality="fluid", wide=wide)
    assert values(given)["sub-01", "fluid", "nfl", "serum"] == 88.5
    assert set(given.rows["unit"]) == {"pg/ml"}
    assert given.unused == ("weight",)
    with pytest.raises(InputError, match="pattern, mapping or columns, one of them"):
        entries(path, modality="fluid", wide={**wide, "pattern": "{measure}"})
    with pytest.raises(InputError, match="unknown key"):
        entries(path, modality="fluid", wide={"nfl_pg_ml": {"mesure": "nfl"}})


def test_columns_that_are_no_block_are_told(tmp_path):
    column = {"measure": "nfl", "region": "serum", "hemi": "both", "unit": "pg/ml"}
    with pytest.raises(InputError, match=r"wide\.columns: found 'nfl'"):
        entries(tmp_path / "nfl.csv", wide={"columns": "nfl", "nfl_pg_ml": column})
    [entry] = entries(tmp_path / "nfl.csv", wide={"columns": None, "nfl_pg_ml": column})
    assert entry["wide"]["columns"] == {"nfl_pg_ml": column}


def test_a_pattern_that_finds_nothing_is_told(tmp_path):
    assert "no file of that name" in read(tmp_path / "sub-*/mrs.table").problems[0]
