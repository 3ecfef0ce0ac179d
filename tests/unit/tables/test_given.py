"""Tables of measures from elsewhere: what is used, what is noted and what is refused."""

import datetime

import numpy as np
import openpyxl
import pandas as pd
import pytest
from openpyxl.worksheet.formula import ArrayFormula

from mndmri.tables.given import (
    BROUGHT,
    _doubtful_units,
    clashes,
    complete_measures,
    described,
    given_definitions,
    join_measures,
    read_given,
)
from mndmri.tables.measures import DEFINITIONS, GROUP_COLUMNS, OK, data_dictionary

PEOPLE = pd.DataFrame({"participant_id": ["sub-01", "sub-02", "sub-03"], "group": ["ALS", "PLS", "control"]})
KNOWN = [*PEOPLE["participant_id"], "sub-99"]  # of whom the last is not studied
COLUMNS = ["participant_id", "modality", "measure", "region", "hemi", "value"]
EMPTY = dict.fromkeys(["sheet", "modality", "measure", "region", "hemi", "unit", "wide"])
PATTERN = {"pattern": "{measure}_{region}_{hemi}", "mapping": None}


@pytest.fixture
def given(tmp_path):
    """Function from the text of a table to what is read of it."""

    def read(text, *, name="lab.csv", known=KNOWN, **keys):
        path = tmp_path / name
        path.write_bytes(text) if isinstance(text, bytes) else path.write_text(text, encoding="utf-8")
        entry = EMPTY | {"file": str(path), "participant": "participant_id"} | keys
        return read_given([entry], known=known, studied=list(PEOPLE["participant_id"]))

    return read


@pytest.fixture
def long(given):
    """Function from rows of a long table to what is read of it."""

    def read(*rows, unit=None, status=None):
        table = pd.DataFrame(rows, columns=COLUMNS)
        table = table if unit is None else table.assign(unit=unit)
        table = table if status is None else table.assign(status=status)
        return given(table.to_csv(sep="\t", index=False, na_rep="n/a"), name="lab.tsv")

    return read


@pytest.fixture
def wide(given):
    """Function from the text of a wide table, with columns as thickness_precentral_L, to what is read of it."""
    return lambda text, **keys: given(text, **{"modality": "t1w", "wide": PATTERN} | keys)


@pytest.fixture
def workbook(given, tmp_path):
    """Function from the rows of a sheet to what is read of it."""

    def read(*rows, change=lambda book: None, **keys):
        book = openpyxl.Workbook()
        for row in rows:
            book.active.append(row)
        change(book)
        book.save(tmp_path / "made.xlsx")
        whole = (tmp_path / "made.xlsx").read_bytes()
        return given(whole, name="lab.xlsx", **{"modality": "t1w", "wide": PATTERN} | keys)

    return read


def values(found) -> dict:
    """Value by participant, measure and side."""
    assert found.problems == []
    return found.rows.set_index(["participant_id", "measure", "hemi"])["value"].to_dict()


def test_everyone_in_the_study_has_a_row_of_every_measure(long):
    found = long(("01", "dwi", "fa", "cst", "L", 0.5), ("sub-02", "t1w", "volume", "gm", "both", 600.0))
    table = complete_measures(found.rows, PEOPLE, {})
    assert table["value"].notna().any()
    assert list(table.columns) == GROUP_COLUMNS
    assert len(table) == 6
    cells = table.set_index(["participant_id", "measure"])["value"]
    assert cells["sub-01", "fa"] == 0.5 and cells["sub-02", "volume"] == 600
    assert cells.isna().sum() == 4
    assert (table["status"] == OK).sum() == 2
    assert table.set_index("participant_id")["group"].to_dict() == dict(PEOPLE.to_numpy())


def test_people_who_are_not_studied_are_left_out(long):
    found = long(("01", "dwi", "fa", "cst", "L", 0.5), ("99", "dwi", "fa", "cst", "L", 9.9))
    assert found.problems == []
    assert set(found.rows["participant_id"]) == {"sub-01"}


def test_what_is_wrong_with_others_is_of_no_concern(wide):
    found = wide(CLEAN + "99,<0.01,x\n77,-999,y\n")
    assert found.problems == []
    assert "left out: 77" in "\n".join(found.notes)
    assert len(found.rows) == 6


def test_a_missing_or_infinite_value_is_no_value_and_its_reason_stays(long):
    rows = (("01", "dwi", "fa", "cst", "L", np.nan), ("02", "dwi", "fa", "cst", "L", np.inf))
    found = long(*rows, ("03", "dwi", "fa", "cst", "L", 1.0), status=["no dwi", "ok", "ok"])
    assert found.rows["value"].notna().tolist() == [False, False, True]
    assert found.rows["status"].tolist() == ["no dwi", "infinite", "ok"]


def test_all_that_is_wrong_with_a_table_is_told_in_one_list(long):
    found = long(
        ("01", "dwi", "fa", "cst", "lateral", 0.5),
        ("02", "dwi", "fa", "cst", "L", "0,5"),
        ("03", "dwi", "fa", "cst", "L", 0.5),
        ("sub-03", "dwi", "fa", "cst", "L", 0.6),
        ("sub-02", "dwi", "fa", np.nan, "L", 0.6),
    )
    told = "\n".join(found.problems)
    for words in (
        "row 2 (01): hemi 'lateral', expected L, R, both",
        "found '0,5' with a comma; write the decimal point; expected a number",
        "sub-03: dwi fa cst L is there twice, lab.tsv row 4 and lab.tsv row 5",
        "row 6 (sub-02) has no region; name it",
    ):
        assert words in told


def test_a_table_of_strangers_or_without_a_column_is_refused(long, given, wide):
    [told] = wide("participant_id,thickness_x_L\n77,1\n").problems
    assert "use the same ids in both tables" in told
    assert "use the same ids in both tables" in long(("77", "dwi", "fa", "cst", "L", 0.5)).problems[0]
    [told] = given("participant_id,modality,measure,region,hemi\n01,dwi,fa,cst,L\n").problems
    assert "has no column 'value'" in told


def test_values_of_one_measure_in_two_units_are_refused_and_never_relabelled(long):
    rows = ("01", "t1w", "volume", "gm", "both", 600.0), ("02", "t1w", "volume", "gm", "both", 590_000.0)
    [told] = long(*rows, unit=["ml", "mm3"]).problems
    assert told == "t1w volume gm is in 'ml' in sub-01, 'mm3' in sub-02; convert the values to one unit"
    [told] = long(*rows, unit=["ml", ""]).problems
    assert "'ml' in sub-01, no unit in sub-02" in told
    one = long(rows[0], ("02", "t1w", "volume", "gm", "both", np.nan), unit=["ml", "mm3"])
    assert one.problems == []
    assert set(complete_measures(one.rows, PEOPLE, {})["unit"]) == {"ml"}


def test_two_heaps_of_values_without_a_unit_are_told(given):
    known = [f"sub-{n:02d}" for n in range(12)]
    text = "participant_id,volume_gm_L\n" + "\n".join(
        f"{n:02d},{(600 + n) * (1000 if n < 6 else 1)}" for n in range(12)
    )
    entry = {"modality": "t1w", "wide": PATTERN}
    found = given(text, known=known, **entry)
    assert not found.problems  # nobody of PEOPLE but sub-01 to sub-03 is studied

    rows = found.rows.iloc[[0] * 12].assign(participant_id=known, value=[600_000.0 + n for n in range(6)] + [600.0] * 6)
    [told] = _doubtful_units(rows)
    assert "the values of sub-00, sub-01, sub-02, sub-03, sub-04, sub-05 are over 100 times those of the others" in told
    assert _doubtful_units(rows.assign(value=np.geomspace(1, 100, 12))) == []


def test_columns_are_named_by_a_pattern_with_units_and_words_for_sides(wide):
    text = "participant_id,age,thickness_precentral_lh [mm],thickness_precentral_Right [mm],FA_cst_both [1]\n"
    found = wide(
        text + "01,50,2.5,2.6,0.5\n02,60,2.4,NA,0.4\n03,70,,2.2,n/a\n",
        wide=PATTERN | {"pattern": "{measure}_{region}_{hemi} [{unit}]"},
    )
    cells = values(found)
    assert cells["sub-01", "thickness", "L"] == 2.5 and cells["sub-01", "thickness", "R"] == 2.6
    assert np.isnan(cells["sub-02", "thickness", "R"]) and np.isnan(cells["sub-03", "FA", "both"])
    assert set(found.rows["unit"]) == {"mm", "1"}
    assert "lab.csv: columns that are no measures: age" in found.notes


def test_a_column_that_can_be_read_in_two_ways_is_refused_and_what_is_the_same_can_be_written(wide):
    text = "participant_id,thickness_superior_frontal_L\n01,2.5\n02,2.4\n03,2.2\n"
    [told] = wide(text).problems
    assert "can be read as measure 'thickness', region 'superior_frontal', hemi 'L' or as measure" in told
    found = wide(text, wide=PATTERN | {"pattern": "thickness_{region}_{hemi}"}, measure="thickness")
    assert set(found.rows["region"]) == {"superior_frontal"}


@pytest.mark.parametrize(
    ("pattern", "words"),
    [
        ("{measur}_{region}", "{measur}; there are {modality}, {measure}"),
        ("{measure}{region}", "two names with nothing between them"),
        ("thickness", "names nothing"),
        ("{measure}_{measure}_{region}", "{measure} twice"),
        ("{measure}_{hemi}", "no region: neither the pattern nor a key"),
        ("{measure}-{region}", "no column follows the pattern"),
        ("{modality}_{region}", "modality is in the pattern '{modality}_{region}' and a key beside it"),
    ],
)
def test_a_pattern_that_cannot_be_used_is_told(wide, pattern, words):
    found = wide("participant_id,a_b_L\n01,1\n02,2\n03,3\n", wide=PATTERN | {"pattern": pattern})
    assert any(words in told for told in found.problems), found.problems


def test_columns_are_named_by_a_mapping(wide, tmp_path):
    mapping = tmp_path / "mapping.csv"
    mapping.write_text("column,measure,region,hemi,unit\nlh_PreCG,thickness,precentral,L,mm\nPonsVol,volume,pons,,ml\n")
    by_mapping = {"pattern": None, "mapping": str(mapping)}
    text = "participant_id,lh_PreCG,PonsVol,other\n01,2.5,15,a\n02,2.4,16,b\n03,2.2,17,c\n"
    found = wide(text, wide=by_mapping)
    assert values(found)["sub-02", "volume", "both"] == 16
    assert set(found.rows["unit"]) == {"mm", "ml"}
    mapping.write_text("column,measure,region,hemi\nlh_PreCGG,thickness,precentral,L\nPonsVol,volume,pons,middle\n")
    told = "\n".join(wide(text, wide=by_mapping).problems)
    assert "the table has no column 'lh_PreCGG'; did you mean 'lh_PreCG'?" in told
    assert "'PonsVol' has hemi 'middle', expected L, R, both" in told


def test_sides_and_blanks_in_names_mean_the_same_however_they_are_written(wide, given, tmp_path):
    """Of a pattern, of a mapping, of keys beside it, and of a long table."""
    expected = [("pet", "SUV_mean", "middle_frontal", "R", "1e-3 mm2/s")] * 3
    text = "participant_id,SUV mean: middle frontal right [1e-3 mm2/s]\n01,1\n02,2\n03,3\n"
    pattern = PATTERN | {"pattern": "{measure}: {region} {hemi} [{unit}]"}
    (tmp_path / "mapping.csv").write_text("column,measure,hemi\nx,SUV mean,RH\n")
    mapping = {"pattern": None, "mapping": str(tmp_path / "mapping.csv")}
    keys = {"region": "middle frontal", "unit": "1e-3 mm2/s", "modality": "pet"}
    for found in (
        wide(text, wide=pattern, modality="pet"),
        wide("participant_id,x\n01,1\n02,2\n03,3\n", wide=mapping, **keys),
        given("participant_id,measure,hemi,value\n" + "".join(f"0{n},SUV mean,Right,{n}\n" for n in (1, 2, 3)), **keys),
    ):
        assert found.problems == []
        named = found.rows[["modality", "measure", "region", "hemi", "unit"]]
        assert list(named.itertuples(index=False, name=None)) == expected
    own = {"Description": "Standardised uptake.", "Units": "1"}
    assert given_definitions(found.rows, {"pet SUV mean": own})["pet", "SUV_mean"]["Description"] == own["Description"]


def test_counts_of_voxels_that_are_no_numbers_are_refused_and_decimal_commas_read(given):
    head = "participant_id;modality;measure;region;hemi;value;n_voxels\n01;dwi;fa;cst;L;0,5;"
    found = given(head + "120,0\n02;dwi;fa;cst;L;0,6;n/a\n")
    assert found.problems == [] and found.rows["n_voxels"].tolist() == [120, 0]
    [told] = given(head + "many\n02;dwi;fa;cst;L;0,6;few\n").problems
    assert told == "lab.csv: n_voxels, row 2 (01): found 'many'; expected a number or n/a (and 1 more in it)"


def test_values_keep_their_full_precision(wide, workbook):
    exact = 2_000_000.123456789
    text = f"participant_id,volume_gm_L\n01,{exact!r}\n02,2000001\n03,1999999\n"
    assert values(wide(text))["sub-01", "volume", "L"] == exact
    found = workbook(["participant_id", "volume_gm_L"], ["01", exact], ["02", 0.1], ["03", 1 / 3])
    assert values(found)["sub-03", "volume", "L"] == 1 / 3


def test_markup_in_a_name_is_text(wide):
    found = wide(CLEAN.replace("thickness", "<script>"))
    assert values(found)["sub-01", "<script>", "L"] == 2.5


def test_two_tables_are_one_and_a_value_in_both_is_a_problem(tmp_path):
    entries = []
    for name, text in (("a", "participant_id,fa_cst_L\n01,1\n02,2\n03,3\n"), ("b", "participant_id,fa_cst_R\n01,4\n")):
        (tmp_path / f"{name}.csv").write_text(text)
        entries.append(EMPTY | {"file": str(tmp_path / f"{name}.csv"), "participant": "participant_id"})
        entries[-1] |= {"modality": "dti", "wide": PATTERN}
    found = read_given(entries, known=KNOWN, studied=list(PEOPLE["participant_id"]))
    assert values(found)["sub-01", "fa", "R"] == 4
    assert "b.csv: without: sub-02, sub-03" in found.notes
    again = read_given([*entries, entries[0]], known=KNOWN, studied=list(PEOPLE["participant_id"]))
    assert "sub-01: dti fa cst L is there twice, a.csv row 2 and a.csv row 2" in again.problems[0]


def test_brought_measures_join_those_of_the_scans_person_by_person(wide):
    found = complete_measures(wide("participant_id,own_x_L\n01,1\n02,2\n03,3\n").rows, PEOPLE, {})
    measured = found.assign(measure="fa", modality="dwi")
    both = join_measures(measured, found, PEOPLE)
    assert both["participant_id"].tolist() == ["sub-01", "sub-01", "sub-02", "sub-02", "sub-03", "sub-03"]
    assert both["measure"].tolist() == ["fa", "own"] * 3


def test_a_name_of_the_scans_own_measures_is_refused(wide):
    rows = wide("participant_id,thickness_x_L\n01,1\n02,2\n03,3\n").rows
    [told] = clashes(rows, DEFINITIONS)
    assert told.startswith("lab.csv: t1w thickness is measured from the scans too; give it another name")
    assert clashes(rows, [("dwi", "fa")]) == []


def test_what_was_not_measured_here_has_no_definition_of_this_program(wide):
    rows = wide("participant_id,thickness_x_L\n01,1\n02,2\n03,3\n", unit="mm").rows
    definitions = given_definitions(rows, {})
    told = data_dictionary([("t1w", "thickness")], brought=definitions)["measures"]["t1w thickness"]
    assert told["Description"] != DEFINITIONS["t1w", "thickness"]["Description"]
    assert (told["Units"], told[BROUGHT]) == ("mm", "lab.csv")
    own = {"Description": "by another study's pipeline", "Units": "mm"}
    assert described([[], {"measures": []}, {"measures": {"t1w thickness": own, "a b": 3}}]) == {"t1w thickness": own}
    assert given_definitions(rows, {"t1w thickness": own})["t1w", "thickness"] == own | {BROUGHT: "lab.csv"}


# -- nasty tables ---------------------------------------------------------------------------------

HEAD = "participant_id,thickness_precentral_L,thickness_precentral_R\n"
CLEAN = HEAD + "01,2.5,2.6\n02,2.4,2.3\n03,2.2,2.1\n"
TRUTH = {"sub-01": (2.5, 2.6), "sub-02": (2.4, 2.3), "sub-03": (2.2, 2.1)}


@pytest.mark.parametrize(
    ("text", "note"),
    [
        (CLEAN, ""),
        (CLEAN.replace(",", ";").replace(".", ","), "commas are read as decimal points"),
        (CLEAN.replace(",", ";"), ""),
        (CLEAN.replace(",", "\t"), ""),
        ("sep=;\n" + CLEAN.replace(",", ";"), ""),
        (CLEAN.encode("utf-8-sig"), ""),
        (CLEAN.encode("utf-16"), ""),
        (CLEAN.replace("\n", "\r\n") + "\r\n\r\n", ""),
        (CLEAN.replace("\n", " , ,\n"), ""),
        (CLEAN.replace(",", " , "), ""),
        (CLEAN.replace("01,", "1,").replace("02,", "2,"), "1 as sub-01, 2 as sub-02"),
        (CLEAN.replace("01,", "sub-01,"), ""),
        (CLEAN.replace("2.5", '"2.5"'), ""),
        (CLEAN + "77,9,9\n", "not in the participants table, left out: 77"),
        (CLEAN.replace("2.5", "2.5e0"), ""),
    ],
    ids=[
        "as it should be",
        "semicolons and decimal commas",
        "semicolons",
        "tabs",
        "Excel's separator line",
        "byte-order mark",
        "UTF-16",
        "Windows line ends and empty lines",
        "trailing separators",
        "blanks",
        "ids without zeros",
        "one id with sub-",
        "quoted",
        "a stranger beside everyone",
        "exponent",
    ],
)
def test_a_table_that_can_be_read_in_one_way_is_used(wide, text, note):
    found = wide(text)
    cells = values(found)
    for who, both in TRUTH.items():
        assert (cells[who, "thickness", "L"], cells[who, "thickness", "R"]) == both
    assert note in "\n".join(found.notes)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        (CLEAN.replace("2.5", "<0.01"), "found '<0.01', a limit and not a value"),
        (CLEAN.replace("2.5", "12%"), "found '12%'; write the number alone, and % as its unit"),
        (CLEAN.replace("2.5", "1e400"), "found '1e400', too large"),
        (CLEAN.replace("2.5", "2021-03-04"), "found '2021-03-04'; expected a number or n/a"),
        (CLEAN.replace("2.5", "2.5 mm"), "found '2.5 mm'; expected a number"),
        (CLEAN.replace("2.5", '"2,5"'), "found '2,5' with a comma; write the decimal point"),
        (CLEAN.replace("2.5", "-999"), "found -999, far from the others"),
        (CLEAN.replace("2.5", "1_000"), "found '1_000'; expected a number"),
        (CLEAN.replace("2.5", "٢"), "found '٢'; expected a number"),
        (CLEAN.replace("_R", "_L"), "has 2 columns 'thickness_precentral_L'"),
        (CLEAN.replace("precentral_R", "precentral_lh"), "are both t1w thickness precentral L"),
        (HEAD + "01,2.5,2.6,2.7\n02,2,3\n", "column 4 has no name and, in row 2, '2.7'"),
        (CLEAN + "03,2.2,2.1\n", "sub-03: t1w thickness precentral L is there twice"),
        (CLEAN.replace("03,", "O3,"), "O3 is not in the participants table, while sub-03 is not in this table"),
        (CLEAN.replace("03,", ","), "row 4 has no participant_id and '2.2'"),
        (CLEAN.replace(",", ";").replace("2.5", "2,5"), "a decimal comma ('2,5') and with a point ('2.6')"),
        (HEAD.replace(",", ";") + "01;1,234;2,345\n02;3,456;4,567\n", "could be decimal or of thousands"),
        (CLEAN.replace("2.5", '"2.5'), "a quotation mark that is opened must be closed"),
        (CLEAN.encode("utf-8") + b"04,\xe9,1\n", "not text in UTF-8"),
        ("", "has nothing in it"),
        (HEAD, "has no rows below its header"),
        (CLEAN.replace("participant_id", "Subject"), "no column 'participant_id' of participants"),
        (
            CLEAN.replace("thickness_precentral_L", "=cmd|' /C calc'!A0_x_L"),
            "the measure '=cmd|'_/C_calc'!A0' begins like a formula",
        ),
        (CLEAN.replace("thickness_precentral_L", "fa/../../x_cst_L"), "the measure 'fa/../../x' begins like a formula"),
        (CLEAN.replace("thickness_precentral_L", "$a$_cst_L"), "the measure '$a$' begins like a formula"),
    ],
)
def test_a_table_that_cannot_be_used_is_refused_with_the_reason(wide, text, words):
    assert words in "\n".join(wide(text).problems)


ROWS = [["participant_id", "thickness_precentral_L", "thickness_precentral_R"]]
ROWS += [["01", 2.5, 2.6], ["02", 2.4, 2.3], ["03", 2.2, 2.1]]


def cell(place, content, number_format=None):
    """Change of one cell of a workbook."""

    def change(book):
        book.active[place] = content
        if number_format:
            book.active[place].number_format = number_format

    return change


def second_sheet(book):
    book.create_sheet("notes").append(["read me"])


def whole_column_of_percentages(book):
    for place in ("B2", "B3", "B4"):
        book.active[place] = 0.12
        book.active[place].number_format = "0.0%"


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (cell("B2", datetime.datetime(2021, 3, 4)), "found a date or time (2021-03-04"),
        (cell("B2", datetime.time(2, 30)), "found a date or time (02:30"),
        (cell("B2", "=AVERAGE(C2:C4)"), "found the formula =AVERAGE(C2:C4) without a stored result"),
        (cell("B2", ArrayFormula("B2", "=SUM(C2:C4)")), "found the formula =SUM(C2:C4) without a stored result"),
        (cell("B2", True), "found the logical value TRUE"),
        (cell("B2", "#DIV/0!"), "found Excel's error #DIV/0!"),
        (cell("B2", 0.12, "0%"), "1 of 3 numbers are percentages in Excel"),
        (lambda book: book.active.merge_cells("B1:C1"), "has merged cells (B1:C1); unmerge them"),
        (second_sheet, "has 2 sheets with something in them ('Sheet', 'notes'); name the one"),
        (lambda book: book.active.insert_rows(1, 1) or cell("A1", "Table 1")(book), "column 2 has no name"),
    ],
    ids=[
        "date",
        "time",
        "formula",
        "array formula",
        "logical",
        "error",
        "one percentage",
        "merged header",
        "two sheets",
        "title line",
    ],
)
def test_a_workbook_that_cannot_be_used_is_refused_with_the_reason(workbook, change, words):
    assert words in "\n".join(workbook(*ROWS, change=change).problems)


@pytest.mark.parametrize(
    ("change", "note"),
    [
        (lambda book: None, ""),
        (lambda book: cell("A2", 1)(book), "1 as sub-01"),
        (lambda book: book.create_sheet("empty"), ""),
        (lambda book: cell("D9", "   ")(book), ""),
        (lambda book: setattr(book.active.row_dimensions[3], "hidden", True), "1 hidden rows of sheet 'Sheet'"),
        (lambda book: cell("B2", "2.5")(book), ""),
    ],
    ids=["as it should be", "a number as id", "an empty sheet", "a blank far away", "a hidden row", "a number as text"],
)
def test_a_workbook_that_can_be_read_in_one_way_is_used(workbook, change, note):
    found = workbook(*ROWS, change=change)
    cells = values(found)
    for who, both in TRUTH.items():
        assert (cells[who, "thickness", "L"], cells[who, "thickness", "R"]) == both
    assert note in "\n".join(found.notes)


def test_excels_missing_and_percentages_are_what_they_say(workbook):
    found = workbook(*ROWS, change=cell("B2", "#N/A"))
    assert np.isnan(values(found)["sub-01", "thickness", "L"])
    found = workbook(*ROWS, change=whole_column_of_percentages)
    assert values(found)["sub-01", "thickness", "L"] == 0.12
    assert "percentages in Excel: the stored numbers are used, 0.12 for 12%" in "\n".join(found.notes)


def test_a_sheet_is_chosen_by_its_name(workbook):
    found = workbook(*ROWS, change=second_sheet, sheet="Sheet")
    assert values(found)["sub-01", "thickness", "L"] == 2.5
    assert (
        "has no sheet 'Shet'; it has 'Sheet', 'notes'" in workbook(*ROWS, change=second_sheet, sheet="Shet").problems[0]
    )


def test_a_file_that_is_no_workbook_is_refused(given):
    told = given(b"PK no archive", name="lab.xlsx", modality="x", wide=PATTERN).problems
    assert "cannot be read as an Excel workbook" in told[0] and "password" in told[0]
    assert "a table ends in .tsv, .csv" in given(b"", name="lab.sav", modality="x", wide=PATTERN).problems[0]


def test_what_readers_have_excluded_has_no_value_in_a_table_that_was_brought(wide):
    found = wide("participant_id,own_x_L\n01,1\n02,2\n03,3\n")
    modality = found.rows["modality"].iloc[0]
    why = "excluded by reader: motion (AB)"
    table = complete_measures(found.rows, PEOPLE, {"sub-01": {modality: why}}).set_index("participant_id")
    assert np.isnan(table.loc["sub-01", "value"]) and table.loc["sub-01", "status"] == why
    assert table.loc["sub-02", "value"] == 2


def of_visits(path, text, **keys):
    """What is read of a table of several visits."""
    path.write_text(text)
    entry = EMPTY | {"file": str(path), "participant": "participant_id", "session": None} | keys
    return read_given([entry], known=KNOWN, studied=list(PEOPLE["participant_id"]), sessions=True)


LONG = "participant_id,modality,measure,region,value,session_id\n"
BOTH = LONG + "".join(f"{who},dwi,fa,cst,0.{session},{session}\n" for who in ("01", "02", "03") for session in (1, 2))


def test_rows_of_several_sessions_are_told_apart(tmp_path):
    found = of_visits(tmp_path / "long.csv", BOTH)
    assert found.problems == []
    assert found.rows["session"].tolist() == ["ses-1", "ses-2"] * 3
    again = of_visits(tmp_path / "long.csv", BOTH + "02,dwi,fa,cst,0.3,ses-2\n")
    assert "sub-02 ses-2: dwi fa cst both is there twice" in again.problems[0]


def test_a_wide_table_may_have_sessions_and_a_whole_table_one(tmp_path):
    text = "participant_id,session,thickness_precentral_L\n01,ses-1,2.5\n01,ses-2,2.4\n02,ses-1,2\n03,ses-1,2\n"
    found = of_visits(tmp_path / "wide.csv", text, modality="t1w", wide=PATTERN)
    assert found.problems == [] and found.rows["session"].tolist() == ["ses-1", "ses-2", "ses-1", "ses-1"]
    assert found.unused == ()
    one = "participant_id,thickness_precentral_L\n01,2.5\n02,2\n03,2\n"
    found = of_visits(tmp_path / "wide.csv", one, modality="t1w", wide=PATTERN, session="02")
    assert set(found.rows["session"]) == {"ses-02"}


def test_a_row_without_a_session_and_a_table_without_sessions_are_told(tmp_path):
    found = of_visits(tmp_path / "long.csv", BOTH + "02,dwi,md,cst,0.3,\n")
    assert "row 8 has no session; fill it in or remove the row" in "\n".join(found.problems)
    found = of_visits(tmp_path / "long.csv", BOTH.replace("session_id", "visit"))
    assert "has no column session or session_id" in found.problems[0]
    assert "session a key in the config" in of_visits(tmp_path / "long.csv", BOTH, session="ses-01").problems[0]


def test_several_visits_without_a_table_of_visits_are_refused_with_the_way_out(long):
    found = long(("01", "dwi", "fa", "cst", "L", 0.5), ("01", "dwi", "fa", "cst", "L", 0.4))
    assert "name the table of visits (visits) if they are of several" in found.problems[0]
