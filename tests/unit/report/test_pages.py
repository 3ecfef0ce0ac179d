"""Pages: what is in the tables is on them, escaped, in one file."""

import base64
import re
from html.parser import HTMLParser
from io import BytesIO

import numpy as np
import pandas as pd
import pytest
from PIL import Image

from mndmri.figures import to_png
from mndmri.figures.groups import group_colours, measure_plot
from mndmri.report.pages import Picture, Section, View, group_page, participant_page
from mndmri.tables.qc import qc_table


def webp(grey):
    """A small picture."""
    buffer = BytesIO()
    Image.new("L", (40, 30), grey).save(buffer, format="WEBP")
    return buffer.getvalue()


ATTACK = "<script>alert('x')</script>"
PNG = b"\x89PNG\r\n\x1a\nnot a real one"
PICTURE = Picture("Brain mask", "Outline on the T1w", PNG)
WEBP = webp(20)
VIEW = View("Brain mask on the T1w", {"": WEBP}, "a line around the brain.", "eyes within it.")
BEFORE_AFTER = View("b = 0 image", {"as scanned": WEBP, "corrected": webp(220)}, "a better fit.", "a worse one.")
VERSIONS = {"mndmri": "1.2.3", "dipy": "1.11"}
VOID = {"meta", "img", "br", "link", "input", "hr"}


class _Page(HTMLParser):
    """Tags, attributes and tables of a page; fails on tags that do not match."""

    def __init__(self, html):
        super().__init__()
        self.open, self.found, self.text, self.tables = [], [], [], []
        self.feed(html)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag, attrs):
        self.found.append((tag, dict(attrs)))
        if tag not in VOID:
            self.open.append(tag)
        if tag == "table":
            self.tables.append([])
        if tag == "tr":
            self.tables[-1].append([])
        if tag in ("td", "th"):
            self.tables[-1][-1].append("")

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if not {"style", "script"} & set(self.open):
            self.text.append(data)
        if {"td", "th"} & set(self.open):
            self.tables[-1][-1][-1] += data

    def rows_with(self, *cells):
        """Rows of all tables that hold these cells, one after another."""
        wanted = list(cells)
        return [
            row
            for table in self.tables
            for row in table
            if any(row[n : n + len(wanted)] == wanted for n in range(len(row)))
        ]

    def attributes(self, tag):
        return [attrs for name, attrs in self.found if name == tag]


def _measures(participant_id="sub-01", group="ALS"):
    rows = [
        ("dwi", "fa", "cst", "L", 0.5123, "1", 800, "ok"),
        ("dwi", "fa", "cst", "R", 0.4876, "1", 800, "ok"),
        ("dwi", "md", "cst_plic", "L", 0.71, "1e-3 mm2/s", 90, "ok"),
        ("dwi", "md", "cst_plic", "R", np.nan, "1e-3 mm2/s", 0, "level covered to 62%"),
        ("t1w", "volume", "tiv", "both", 1432.0, "ml", 10**6, "ok"),
    ]
    columns = ["modality", "measure", "region", "hemi", "value", "unit", "n_voxels", "status"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(participant_id=participant_id, group=group)


def _qc(participant_id="sub-01", fd=1.31):
    rows = [
        ("dwi", "mean_fd", "brain", "both", fd, "mm", "ok"),
        ("t1w", "dice_gm", "brain", "both", 0.82, "1", "ok"),
        ("swi", "removed_vein_fraction", "brain", "both", np.nan, "1", "no SWI"),
    ]
    columns = ["modality", "measure", "region", "hemi", "value", "unit", "status"]
    limits = {("mean_fd", "brain"): (None, 1.0), ("dice_gm", "brain"): (0.75, None)}
    return qc_table(pd.DataFrame(rows, columns=columns).assign(participant_id=participant_id), limits)


STAGES = pd.DataFrame(
    [
        ("t1w", "done", None),
        ("dwi", "failed", "33 entries but 32 volumes"),
        ("swi", "left out", "no SWI in the dataset"),
    ],
    columns=["stage", "status", "reason"],
)


def _participant(**changes):
    options = {
        "views": [VIEW, BEFORE_AFTER],
        "measures": _measures(),
        "qc": _qc(),
        "stages": STAGES,
        "versions": VERSIONS,
    }
    who = changes.pop("participant_id", "sub-01"), changes.pop("group", "ALS")
    return participant_page(*who, **(options | changes))


COMPARISON_COLUMNS = [
    "modality", "measure", "region", "hemi", "test", "contrast", "n_ALS", "n_control", "reported", "n_missing",
    "estimate", "ci_low", "ci_high", "hedges_g", "g_ci_low", "g_ci_high", "adjusted_g", "adj_g_ci_low", "adj_g_ci_high",
    "p", "p_permutation", "p_confirmatory", "q_exploratory", "p_holm", "q_fdr", "note",
]  # fmt: skip
NO_NUMBERS = [np.nan] * 9


def _comparisons():
    key, no = ["dwi", "md", "cst_plic", "L"], np.nan
    rows = [
        [*key, "ancova_welch", "group", 14, 12, "yes", 1, *NO_NUMBERS, 0.0002, 0.004, no, 0.0008, no, no, ""],
        [*key, "ancova_welch", "ALS-control", 14, 12, "yes", 1, 0.031, 0.011, 0.051, 0.95, 0.2, 1.7, 1.05, 0.3, 1.8,
         0.0123, 0.014, 0.0369, 0.0222, 0.0246, no, "missing: 1 ALS"],
        [*key, "ancova_contrast", "ALS-control", 14, 12, "no", 1, 0.031, 0.012, 0.05, 0.95, 0.2, 1.7, *NO_NUMBERS[:3],
         0.0101, no, no, no, 0.0303, 0.0777, ""],
        [*key, "dunn", "ALS-control", 14, 12, "no", 1, 0.03, 0.01, 0.05, *NO_NUMBERS[:6], 0.02, no, no, no, 0.06, 0.03,
         ""],
    ]  # fmt: skip
    return pd.DataFrame(rows, columns=COMPARISON_COLUMNS)


def _demographics():
    columns = ["variable", "level", "group", "n", "n_missing", "mean", "sd", "count", "percent", "test", "p", "note"]
    no = np.nan
    rows = [
        ["age", no, "ALS", 14, 0, 61.23, 9.81, no, no, no, no, no],
        ["age", no, "control", 11, 1, 60.4, 10.1, no, no, no, no, no],
        ["age", no, "all", 25, 1, 60.9, 9.9, no, no, "anova", 0.71, ""],
        ["sex", "F", "ALS", 14, 0, no, no, 6, 42.857, no, no, ""],
        ["sex", "F", "control", 12, 0, no, no, 6, 50, no, no, ""],
        ["sex", "F", "all", 26, 0, no, no, 12, 46.154, no, no, ""],
        ["sex", no, "all", 26, 0, no, no, no, no, "fisher_freeman_halton", 0.92, "few people"],
    ]
    return pd.DataFrame(rows, columns=columns)


FLOW = [
    {"step": "in the participants table", "modality": "", "n": 7, "lost": {}},
    {"step": "excluded in the config", "modality": "", "n": 2, "lost": {"motion": ["sub-40"], "stroke": ["sub-41"]}},
    {"step": "studied", "modality": "", "n": 5, "lost": {}},
    {"step": "T1w: measured", "modality": "t1w", "n": 5, "lost": {}},
    {"step": "DWI: without", "modality": "dwi", "n": 1, "lost": {"no dwi in the dataset": ["sub-00"]}},
    {"step": "DWI: measured", "modality": "dwi", "n": 4, "lost": {}},
]


def _group(**changes):
    people = [(f"sub-{n:02d}", "ALS" if n < 3 else "control") for n in range(5)]
    measures = pd.concat([_measures(*person) for person in people], ignore_index=True)
    no_dwi = (measures["participant_id"] == "sub-00") & (measures["modality"] == "dwi")
    measures.loc[no_dwi, ["value", "status"]] = [np.nan, "no dwi in the dataset"]
    options = {
        "title": "Study",
        "written": "2026-11-30",
        "people_page": "../qc/index.html",
        "participants": pd.DataFrame(people, columns=["participant_id", "group"]),
        "flow": FLOW,
        "left_out": ["sub-40 excluded: motion", "2 participants with group label FTD left out"],
        "failed": {"sub-02": "fit_tensor: 33 entries but 32 volumes"},
        "measures": measures,
        "demographics": _demographics(),
        "comparisons": _comparisons(),
        "pictures": [PICTURE],
        "versions": VERSIONS,
    }
    return group_page(**(options | changes))


PAGES = {"participant": _participant, "group": _group}


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_every_page_is_whole_and_loads_nothing_from_elsewhere(make):
    html = make()
    page = _Page(html)
    assert html.startswith("<!DOCTYPE html>")
    assert not {"link", "iframe", "object"} & {tag for tag, _ in page.found}
    assert not re.search(r"https?://|@import|url\(", html)
    assert all(attrs["src"].startswith("data:image/") for attrs in page.attributes("img"))
    assert not [attrs for attrs in page.attributes("script") if "src" in attrs]


def test_page_of_a_participant_names_the_file_that_compares_with_the_controls():
    page = _Page(_participant(controls="sub-01_controls.js"))
    assert [attrs["src"] for attrs in page.attributes("script") if attrs] == ["sub-01_controls.js"]
    assert "sub-01_controls.js" in " ".join(page.text)
    assert "Compared with the controls" not in " ".join(_Page(_participant()).text)


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_every_page_says_research_use_only_and_the_versions(make):
    text = " ".join(_Page(make()).text)
    assert "For research use only" in text
    assert "mndmri 1.2.3" in text


@pytest.mark.parametrize("make", PAGES.values(), ids=PAGES)
def test_every_table_scrolls_on_its_own_and_every_picture_has_a_text(make):
    page = _Page(make())
    assert len(page.tables) == sum(attrs.get("class") == "scroll" for attrs in page.attributes("div"))
    assert all(attrs["alt"].strip() for attrs in page.attributes("img"))


def test_pictures_are_in_the_page_byte_for_byte():
    source = _Page(_participant()).attributes("img")[0]["src"]
    assert source.startswith("data:image/webp;")
    assert base64.b64decode(source.split(",")[1]) == WEBP
    source = _Page(_group()).attributes("img")[0]["src"]
    assert source.startswith("data:image/png;")
    assert base64.b64decode(source.split(",")[1]) == PNG


def _everything_attacked(table):
    return table.map(lambda value: ATTACK + value if isinstance(value, str) else value)


def _attacked_pages():
    people = pd.DataFrame([(ATTACK, ATTACK)], columns=["participant_id", "group"])
    attribute = f'{ATTACK}" onload="alert(1)'
    picture = Picture(ATTACK, attribute, PNG)
    measures = _everything_attacked(_measures(ATTACK, ATTACK))
    qc = _qc(ATTACK).assign(reason=ATTACK, region=ATTACK, unit=ATTACK)
    reasons = {ATTACK: ATTACK}
    flow = [FLOW[0] | {"step": ATTACK, "lost": {ATTACK: [ATTACK]}}]
    comparisons = _comparisons().rename(columns={"n_ALS": f"n_{ATTACK}"})
    contrast = comparisons["contrast"].mask(comparisons["contrast"] != "group", ATTACK)
    comparisons = comparisons.assign(note=ATTACK, contrast=contrast, region=ATTACK)
    stages = pd.DataFrame([(ATTACK, ATTACK, ATTACK)], columns=STAGES.columns)
    demographics = _demographics().replace({"ALS": ATTACK, "age": ATTACK, "F": ATTACK, "few people": ATTACK})
    return {
        "participant": _participant(
            participant_id=ATTACK, group=ATTACK, measures=measures, qc=qc, stages=stages, versions=reasons,
            views=[View(ATTACK, {attribute: WEBP, "after": WEBP}, attribute, ATTACK)], decisions=[ATTACK],
            reader=attribute, viewer=attribute, controls=attribute,
        ),
        "group": _group(
            title=ATTACK, written=ATTACK, participants=people, left_out=[ATTACK], failed=reasons, measures=measures,
            demographics=demographics, comparisons=comparisons, pictures=[picture], versions=reasons,
            findings=[ATTACK], flow=flow,
            sections=[Section(ATTACK, ATTACK, pd.DataFrame({ATTACK: [ATTACK]}), text=ATTACK, viewer=attribute)],
        ),
    }  # fmt: skip


@pytest.mark.parametrize("name", PAGES)
def test_a_script_in_an_id_a_group_or_any_cell_is_text_on_the_page(name):
    html = _attacked_pages()[name]
    page = _Page(html)
    scripts = {"participant": 2}.get(name, 0)  # its own, and the comparison's
    assert html.lower().count("<script") == scripts
    assert ATTACK in "".join(page.text)
    assert all("onload" not in attrs for _, attrs in page.found)


def test_left_and_right_stand_under_their_own_headings():
    page = _Page(_participant())
    header = next(table[0] for table in page.tables if "Left" in table[0])
    row = page.rows_with("FA", "CST")[0]
    assert row[header.index("Left")] == "0.5123"
    assert row[header.index("Right")] == "0.4876"
    assert row[header.index("Whole")] == ""
    assert page.rows_with("Volume", "TIV")[0][header.index("Whole")] == "1432"


def test_a_missing_value_is_shown_with_its_side_and_reason():
    row = _Page(_participant()).rows_with("MD", "CST PLIC")[0]
    assert row[2:] == ["0.7100", "n/a", "", "10⁻³ mm²/s", "level covered to 62% (R)"]


def test_stages_that_failed_or_were_left_out_are_there_with_their_reasons():
    page = _Page(_participant())
    assert page.rows_with("DWI", "failed", "33 entries but 32 volumes")
    assert page.rows_with("SWI", "left out", "no SWI in the dataset")
    assert page.rows_with("T1w", "done", "")


def test_flags_come_first_and_good_values_are_said_to_be_good():
    flagged = " ".join(_Page(_participant()).text)
    assert "1 value outside the limits" in flagged
    assert "DWI: mean FD, brain: 1.31 is above 1 (mm)" in flagged
    good = " ".join(_Page(_participant(qc=_qc(fd=0.2))).text)
    assert "No quality measure is outside its limits" in good


def test_a_participant_with_nothing_gets_a_page_that_says_so():
    nothing = _participant(views=[], measures=_measures().head(0), qc=_qc().head(0))
    text = " ".join(_Page(nothing).text)
    assert "There is no picture" in text
    assert "This participant has no measure" in text
    assert "This participant has no quality measure" in text


def test_summary_counts_people_failures_and_modalities_by_group():
    page = _Page(_group())
    assert page.tables[0][0] == ["Group", "In the study", "Failed", "With DWI", "With T1w"]
    assert page.tables[0][1:] == [["ALS", "3", "1", "2", "3"], ["control", "2", "0", "2", "2"]]


def test_who_was_left_out_and_who_failed_are_named_with_the_reason():
    page = _Page(_group())
    assert "sub-40 excluded: motion" in page.text
    assert "2 participants with group label FTD left out" in page.text
    assert page.rows_with("sub-02", "fit_tensor: 33 entries but 32 volumes")
    nobody = " ".join(_Page(_group(left_out=[], failed={})).text)
    assert "No participant failed" in nobody
    assert "Nobody was excluded" in nobody


def test_who_has_no_value_of_a_modality_is_named_with_the_reason_and_no_one_else():
    page = _Page(_group())
    table = next(t for t in page.tables if t[0] == ["Participant", "Modality", "Reason"])
    assert table[1:] == [["sub-00", "DWI", "no dwi in the dataset"]]


def test_a_reason_that_stands_in_another_is_said_once():
    rows = _measures().query("modality == 'dwi'").assign(value=np.nan, status="no file")
    rows.iloc[-1, rows.columns.get_loc("status")] = "not assessable: no file"
    rows.iloc[-2, rows.columns.get_loc("status")] = "not assessable: too coarse"
    page = _Page(_group(measures=rows))
    table = next(t for t in page.tables if t[0] == ["Participant", "Modality", "Reason"])
    assert table[1:] == [["sub-01", "DWI", "no file; not assessable: too coarse"]]


def test_a_comparison_has_n_estimate_interval_effect_and_corrected_p():
    page = _Page(_group())
    header = next(table[0] for table in page.tables if "Contrast" in table[0])
    assert header[1:3] == ["n ALS", "n control"]
    assert page.rows_with("MD, cst") == []
    assert page.rows_with("DWI: MD, CST PLIC, left (10⁻³ mm²/s)")
    assert page.rows_with("ALS-control")[0][1:] == [
        "14", "12", "0.0310 [0.0110, 0.0510]", "1.05 [0.30, 1.80]", "0.012", "0.037", "0.022", "0.014",
        "missing: 1 ALS",
    ]  # fmt: skip
    assert header[4:9] == ["Adjusted g [95% CI]", "p", "p confirmatory", "q exploratory", "p flips"]


def test_a_test_over_all_groups_has_no_difference_to_show():
    row = _Page(_group()).rows_with("all groups")[0]
    assert row[1:] == ["14", "12", "", "", "<0.001", "", "<0.001", "0.004", ""]


def test_other_tests_are_folded_away_and_not_lost():
    html = _group()
    folded = html[html.index("<details>") : html.index("</details>")]
    for name in ("Dunn", "adjusted difference, one variance", "Hedges", "0.95 [0.20, 1.70]", "0.078"):
        assert name in folded
        assert name not in html.replace(folded, "")


def test_table_one_has_a_column_a_group_and_the_tests_of_each_variable():
    table = next(t for t in _Page(_group()).tables if t[0][:2] == ["Variable", "ALS"])
    assert table == [
        ["Variable", "ALS", "control", "all", "p", "Note"],
        ["age, mean (SD)", "61.2 (9.8)", "60.4 (10), 1 missing", "60.9 (9.9), 1 missing", "ANOVA 0.710", ""],
        ["sex: F", "6 (42.9%)", "6 (50.0%)", "12 (46.2%)", "Fisher-Freeman-Halton 0.920", "few people"],
    ]


def test_levels_that_are_numbers_stay_apart_from_a_variable_without_levels():
    table = _demographics().replace({"sex": "site"})
    numbered = table.assign(level=[0.0 if level == "F" else np.nan for level in table["level"]])
    table = next(t for t in _Page(_group(demographics=numbered)).tables if t[0][:2] == ["Variable", "ALS"])
    assert [row[0] for row in table] == ["Variable", "age, mean (SD)", "site: 0"]


def test_tables_of_other_sections_are_shown_with_p_values_as_p_values():
    table = pd.DataFrame({"group": ["ALS"], "n_present": [9], "percent": [69.23], "p": [0.0005], "assessable": [True]})
    page = _Page(_group(sections=[Section("Motor band sign", table=table)]))
    assert page.rows_with("ALS", "9", "69.2", "<0.001", "yes")
    assert "Motor band sign" in page.text


LONG = "variance of PLS estimated from 3 people"


def _listed(html):
    """Texts of the lists of notes."""
    lists = re.findall(r'<ol class="notes".*?</ol>', html, re.S)
    return [[" ".join(item.split()) for item in re.findall("<li>(.*?)</li>", own, re.S)] for own in lists]


def test_a_long_note_stands_once_below_its_table_and_its_rows_have_its_number():
    notes = [LONG, "short", LONG + "; unequal spread", LONG, np.nan, "a < b " * 9]
    html = _group(sections=[Section("Sides", table=pd.DataFrame({"n": range(6), "note": notes}))])
    assert _listed(html) == [[LONG, LONG + "; unequal spread", ("a &lt; b " * 9).strip()]]
    rows = next(table for table in _Page(html).tables if table[0] == ["n", "note"])[1:]
    assert [row[1] for row in rows] == ["1", "short", "2", "1", "n/a", "3"]


def test_notes_of_the_reported_and_of_the_other_tests_are_numbered_by_themselves():
    table = _comparisons()
    table["note"] = [LONG, "missing: 1 ALS", LONG + ", others", LONG]
    html = _group(comparisons=table)
    assert _listed(html) == [[LONG], [LONG + ", others", LONG]]
    page = _Page(html)
    assert page.rows_with("all groups")[0][-1] == "1"
    assert page.rows_with("Dunn")[0][-1] == "2"


def test_study_without_comparisons_says_so():
    text = " ".join(_Page(_group(comparisons=_comparisons().head(0), pictures=[])).text)
    assert "There is no comparison" in text


def test_contents_lead_to_every_section_in_its_order_and_to_what_lies_beside_the_page():
    page = _Page(_group(sections=[Section("Sites"), Section("Who & what: <b>")]))
    headings = [attrs["id"] for attrs in page.attributes("h2")]
    assert headings == [
        "study",
        "flow-of-participants",
        "table-1-participants",
        "primary-measures-comparison-of-groups",
        "sites",
        "who-what-b",
    ]
    links = [attrs["href"] for attrs in page.attributes("a")]
    assert links[:6] == [f"#{name}" for name in headings]
    assert links[6:] == ["../qc/index.html", "tables.xlsx", "../provenance.json"]
    assert "../qc/index.html" not in _group(people_page="")


def test_what_was_found_is_one_paragraph_before_everything_else():
    html = _group(findings=["None is confirmed.", "FA < 0.4."])
    assert html.index("<p>None is confirmed. FA &lt; 0.4.</p>") < html.index("<nav")


def test_the_flow_of_participants_has_a_branch_for_each_modality_and_names_who_is_lost():
    html = _group()
    diagram = html[html.index('<div class="flow">') : html.index('id="table-1-participants"')]
    trunk, t1w, dwi = (" ".join(re.sub("<[^>]*>", " ", own).split()) for own in diagram.split("<ol>")[1:])
    assert trunk == (
        "In the participants table n = 7 Excluded in the config n = 2 motion (1): sub-40 stroke (1): sub-41 "
        "Studied n = 5"
    )
    assert t1w == "T1w: measured n = 5"
    assert dwi.startswith("DWI: without n = 1 no dwi in the dataset (1): sub-00 DWI: measured n = 4")
    assert diagram.count('class="lost"') == 2
    assert 'class="branches"' not in _group(flow=FLOW[:3])


def test_the_report_says_when_it_was_written():
    assert "2026-11-30" in _Page(_group()).text


def test_a_plot_of_a_measure_goes_into_the_page():
    measures = pd.concat([_measures("sub-01"), _measures("sub-02", "control")]).query("measure == 'fa'")
    groups = ["ALS", "control"]
    png = to_png(measure_plot(measures, groups=groups, colours=group_colours(groups)))
    page = _Page(_group(pictures=[Picture("FA", "CST", png, wide=True)]))
    assert base64.b64decode(page.attributes("img")[0]["src"].split(",")[1]).startswith(b"\x89PNG")
    assert page.attributes("figure")[0]["class"] == "plot wide"
