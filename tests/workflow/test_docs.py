"""The pages say what the code does: tables and plan follow from it, links lead somewhere."""

import inspect
import pkgutil
import re
import sys
from importlib import import_module
from pathlib import Path

import grimp
import pytest
import yaml

import mndmri
from mndmri.cohort.config import known_places
from mndmri.tables import measures, qc

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
LINK = re.compile(r"\[[^\]]*\]\(([^)#\s]+)(?:#[^)]*)?\)")


@pytest.fixture(scope="module")
def tools():
    """Modules that make the pages' tables and the plan."""
    sys.path.insert(0, str(DOCS / "tools"))
    yield {name: import_module(name) for name in ("plan", "reference")}
    sys.path.remove(str(DOCS / "tools"))


def a_house(*imports: tuple[str, str]) -> grimp.ImportGraph:
    """House of two rooms above a third, with these imports."""
    graph = grimp.ImportGraph()
    for module in ("house", "house.left", "house.left.inner", "house.right", "house.cellar"):
        graph.add_module(module)
    for importer, imported in imports:
        graph.add_import(importer=importer, imported=imported)
    return graph


def test_an_arrow_of_the_plan_counts_the_imports_between_two_rooms(tools):
    graph = a_house(
        ("house.left.inner", "house.cellar"), ("house.left", "house.cellar"), ("house.left", "house.left.inner")
    )
    plan = tools["plan"].make_plan(graph, [["left", "right"], ["cellar"]])
    assert plan.arrows == {("left", "cellar"): 2}
    assert plan.modules == {"left": 2, "right": 1, "cellar": 1}
    assert not plan.rising()


@pytest.mark.parametrize("arrow", [("cellar", "left"), ("left", "right")], ids=["up", "to a sibling"])
def test_an_arrow_that_does_not_lead_down_is_counted(tools, arrow):
    graph = a_house(tuple(f"house.{room}" for room in arrow))
    plan = tools["plan"].make_plan(graph, [["left", "right"], ["cellar"]])
    assert list(plan.rising()) == [arrow]
    assert "1 of them" in tools["plan"].count(plan)


def test_a_room_without_a_layer_cannot_be_drawn(tools):
    with pytest.raises(ValueError, match="right"):
        tools["plan"].make_plan(a_house(), [["left"], ["cellar"]])


def test_the_drawn_plan_has_a_box_for_each_room_and_a_line_for_each_arrow_of_the_code(tools):
    plan = tools["plan"].read_plan()
    drawing = tools["plan"].draw(plan)
    assert not plan.rising()
    assert drawing.count("<rect") == len(plan.rooms) + 1  # and the background
    for source, target in plan.arrows:
        assert f"<title>{source} imports {target}:" in drawing
    assert drawing.count("<title>") == len(plan.arrows)


def test_every_room_is_in_the_table_of_where_to_look(tools):
    page = (DOCS / "plan.md").read_text(encoding="utf-8")
    for room in tools["plan"].read_plan().rooms:
        assert f"`{room}/`" in page or f"`{room}.py`" in page, room


def test_every_data_dictionary_of_the_library_is_on_the_page_of_columns(tools):
    functions = [
        function
        for module in pkgutil.walk_packages(mndmri.__path__, "mndmri.")
        for _, function in inspect.getmembers(import_module(module.name), inspect.isfunction)
        if function.__module__ == module.name and re.search(r"[a-z]_dictionar(y|ies)$", function.__name__)
    ]
    # the columns of the participants' and the wide table are those of the study
    of_any_study = [f for f in functions if "participants" not in inspect.signature(f).parameters]
    asked = (DOCS / "tools/reference.py").read_text(encoding="utf-8")
    assert len(of_any_study) > 15
    assert [f.__name__ for f in of_any_study if f"{f.__name__}(" not in asked] == []


def test_the_tables_of_the_pages_have_a_row_for_each_key_and_measure(tools):
    schema = yaml.safe_load((ROOT / "workflow/schemas/config.schema.yaml").read_text(encoding="utf-8"))
    keys = tools["reference"].config_table()
    for place in known_places(schema):
        listed = re.sub(r"\b(primary|measures|tables)\.", r"\1[].", place).replace("effects.", "effects.<name>.")
        listed = listed.replace("visits.change.", "visits.change.<name>.")
        listed = re.sub(r"(^maps|columns)\.", r"\1.<name>.", listed)
        assert f"`{listed}`" in keys, place
    table = tools["reference"].measures_table()
    for modality, measure in measures.DEFINITIONS:
        assert f"| `{modality}` | `{measure}` |" in table
    assert all(f"| `{name}` |" in tools["reference"].quality_table() for name in qc.DEFINITIONS)


def test_each_sign_that_is_no_map_and_no_table_names_measures_and_regions_of_the_code():
    page = (DOCS / "signs.md").read_text(encoding="utf-8")
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line.startswith("| ")
    ]
    own = [row for row in rows[1:] if row[1] not in ("map", "table")]
    assert len(own) >= 10
    regions = (DOCS / "measures.md").read_text(encoding="utf-8")
    for sign, modalities, named, where, _ in own:
        for measure in re.findall(r"`(\w+)`", named):
            assert {(of, measure) for of in modalities.split(", ")} & measures.DEFINITIONS.keys(), (sign, measure)
        for region in re.findall(r"`(\w+)`", where):
            assert region.startswith("_") or f"`{region}`" in regions, (sign, region)


def test_every_table_that_a_page_asks_for_is_made(tools):
    asked = {name for page in DOCS.glob("*.md") for name in re.findall(r"^\{\{ (\w+) \}\}$", page.read_text(), re.M)}
    assert asked == set(tools["reference"].REFERENCE) | {"plan"}


def test_the_links_of_the_readme_files_lead_to_files():
    for path in (ROOT / "README.md", ROOT / "config/README.md"):
        for target in LINK.findall(path.read_text(encoding="utf-8")):
            assert target.startswith("http") or (path.parent / target).exists(), f"{path.name}: {target}"


def test_the_readme_is_short():
    assert len((ROOT / "README.md").read_text(encoding="utf-8").splitlines()) <= 150
