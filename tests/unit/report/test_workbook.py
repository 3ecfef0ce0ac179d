"""The spreadsheet: read back as a user's program reads it."""

import io
import zipfile

import numpy as np
import openpyxl
import pandas as pd
import pytest

from mndmri.io import InputError
from mndmri.report import workbook
from mndmri.report.workbook import make_workbook, sheet_names
from mndmri.tables.dictionaries import TITLE, dictionary


@pytest.fixture
def measures():
    return pd.DataFrame(
        {
            "participant_id": ["sub-01", "sub-02", "sub-03"],
            "site": ["001", "Łódź", "神経内科"],
            "value": [0.125, np.nan, np.inf],
            "n_voxels": [12, 0, 7],
            "assessable": [True, False, True],
            "status": ["ok", "no dwi image", "=1+1"],
        }
    )


def opened(content):
    return openpyxl.load_workbook(io.BytesIO(content))


def cells(sheet):
    return [list(row) for row in sheet.iter_rows(values_only=True)]


def test_every_table_has_a_sheet_after_the_contents_and_the_columns(measures):
    book = opened(make_workbook({"measures": measures, "comparisons": measures[:0]}, {}))
    assert book.sheetnames == ["Contents", "Columns", "measures", "comparisons"]
    assert cells(book["comparisons"]) == [list(measures.columns)]


def test_contents_say_what_each_sheet_is_how_long_and_what_an_empty_cell_means(measures):
    dictionaries = {"measures": dictionary("All measures, long", {})}
    sheet = opened(make_workbook({"measures": measures, "b": measures[:1]}, dictionaries))["Contents"]
    rows = cells(sheet)
    assert rows[:3] == [["sheet", "content", "rows"], ["measures", "All measures, long", 3], ["b", None, 1]]
    assert rows[4][0].startswith("An empty cell is a missing value")
    assert sheet.auto_filter.ref == "A1:C3"


def test_columns_are_explained_by_the_dictionaries_with_what_else_these_hold(measures):
    described = {
        TITLE: "All measures, long",
        "value": {"Description": "The value.", "Units": "1"},
        "measures": {"dwi fa": {"Description": "Fractional anisotropy.", "Units": "1", "Source": "Basser 1996"}},
    }
    rows = cells(opened(make_workbook({"measures": measures}, {"measures": described}))["Columns"])
    assert rows[0] == ["sheet", "column", "description", "unit", "source"]
    assert [row[1] for row in rows[1:]] == [*measures.columns, "dwi fa"]
    assert ["measures", "value", "The value.", "1", None] in rows
    assert ["measures", "status", None, None, None] in rows
    assert rows[-1] == ["measures", "dwi fa", "Fractional anisotropy.", "1", "Basser 1996"]


def test_numbers_are_numbers_text_is_text_and_missing_is_empty(measures):
    sheet = opened(make_workbook({"measures": measures}, {}))["measures"]
    assert cells(sheet)[1:] == [
        ["sub-01", "001", 0.125, 12, True, "ok"],
        ["sub-02", "Łódź", None, 0, False, "no dwi image"],
        ["sub-03", "神経内科", None, 7, True, "=1+1"],
    ]
    assert [cell.data_type for cell in sheet[2]] == ["s", "s", "n", "n", "b", "s"]


def test_pandas_reads_the_table_back(measures):
    measures["value"] = [1 / 3, np.nan, -1e-9]
    read = pd.read_excel(io.BytesIO(make_workbook({"m": measures}, {})), sheet_name="m", dtype={"site": str})
    pd.testing.assert_frame_equal(read, measures, check_exact=True)


@pytest.mark.parametrize("text", ["=HYPERLINK(1)", "+1", "-2", "@SUM(A1)", "#N/A", "="])
def test_text_like_a_formula_stays_text_in_cells_and_headers(text):
    content = make_workbook({"table": pd.DataFrame({text: [text]})}, {"table": {text: {"Description": text}}})
    sheet = opened(content)["table"]
    assert cells(sheet) == [[text], [text]]
    assert {cell.data_type for (cell,) in sheet["A1:A2"]} == {"s"}
    assert all(cell.quotePrefix for (cell,) in sheet["A1:A2"])
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert not any(b"<f" in archive.read(name) for name in archive.namelist() if "worksheets" in name)


def test_characters_that_no_file_can_hold_are_removed_and_what_is_too_long_is_marked():
    texts = ["a\x00b\x0bc\x1fd\ud800e\uffff", 'two\nlines\tand <&> "quotes"', "y" * 40_000, "🧠 ok"]
    found = [row[0] for row in cells(opened(make_workbook({"t": pd.DataFrame({"note": texts})}, {}))["t"])[1:]]
    assert found == ["abcde", texts[1], "y" * 32_766 + "…", "🧠 ok"]


def test_header_is_bold_and_frozen_with_filters_and_widths_that_fit(measures):
    measures["note"] = ["a note that goes on and on, longer than anyone would want a column to be" * 2] * 3
    sheet = opened(make_workbook({"measures": measures}, {}))["measures"]
    assert sheet.freeze_panes == "A2"
    assert sheet.auto_filter.ref == "A1:G4"
    assert all(cell.font.bold for cell in sheet[1])
    assert not sheet["A2"].font.bold
    widths = [sheet.column_dimensions[letter].width for letter in "ABCG"]
    assert widths == [len("participant_id") + 3, 8, 8, 60]


def test_sheet_names_are_ones_that_excel_takes():
    given = ["measures", "Measures", "a/b[c]:d*?\\", "contents", "History", "'quoted'", "", "x" * 40, "x" * 41, "Łódź"]
    names = list(sheet_names(given).values())
    assert names == [
        "measures", "Measures_2", "a_b_c__d___", "contents_2", "History_2", "quoted", "table",
        "x" * 31, "x" * 29 + "_2", "Łódź",
    ]  # fmt: skip
    book = opened(make_workbook({name: pd.DataFrame({"a": [1]}) for name in given}, {}))
    assert book.sheetnames == ["Contents", "Columns", *names]


def test_same_tables_are_the_same_bytes_whenever_they_are_written(measures):
    content = make_workbook({"measures": measures}, {})
    assert content == make_workbook({"measures": measures.copy()}, {})
    # two runs of a test lie within the second that a file can tell: the dates themselves
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert {entry.date_time for entry in archive.infolist()} == {(1980, 1, 1, 0, 0, 0)}
    properties = opened(content).properties
    assert properties.modified.isoformat() == properties.created.isoformat() == "1980-01-01T00:00:00"


def test_table_too_long_for_a_sheet_has_none_and_the_contents_say_so(monkeypatch, measures):
    monkeypatch.setattr(workbook, "MAX_ROWS", len(measures) - 1)
    book = opened(make_workbook({"measures": measures, "short": measures[:1]}, {"measures": {TITLE: "Measures"}}))
    assert book.sheetnames == ["Contents", "Columns", "short"]
    rows = cells(book["Contents"])
    assert [None, "Measures: too long for a sheet, read the text file", len(measures)] in rows


def test_table_of_more_columns_than_a_sheet_has_is_refused():
    with pytest.raises(InputError, match="16385 columns"):
        make_workbook({"wide": pd.DataFrame(np.zeros((1, 16_385)))}, {})


def test_table_without_columns_or_with_repeated_ones_is_written():
    twice = pd.DataFrame([[1, 2]], columns=["a", "a"])
    book = opened(make_workbook({"none": pd.DataFrame(), "twice": twice}, {}))
    assert cells(book["twice"]) == [["a", "a"], [1, 2]]
