"""Every table of the group has a data dictionary beside it, made by the same rule."""

import re

from tests.running import ROOT

# Tables that a rule makes in the folders of the group and of the quality control
TABLE = re.compile(r'"(<(?:group|qc)>/[^"]+)\.tsv"')


def test_every_table_of_the_group_has_its_dictionary():
    tables = 0
    for path in (ROOT / "workflow/rules").glob("*.smk"):
        for rule in re.split(r"\n *rule ", path.read_text(encoding="utf-8")):
            made = rule.split("output:", 1)[-1].split("log:", 1)[0]
            for name in TABLE.findall(made):
                tables += 1
                assert f'"{name}.json"' in made, f"{path.name}: {name}.tsv has no dictionary"
    assert tables > 30
