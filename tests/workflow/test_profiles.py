"""The profiles that come with the workflow."""

import re
from collections import defaultdict

import yaml

from tests.running import ROOT
from tests.workflow.stubs import PEOPLE


def test_the_cluster_profile_groups_every_stage_of_a_branch_but_what_stands_apart(finished_study):
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
    grouped = dict(entry.split("=") for entry in profile["groups"])
    of_people = {record.job.rule for record in finished_study.records() if "subject=" in record.job.wildcards}
    # whose failure must not take a long preprocessing with it, and what waits for everybody
    apart = {
        "track_cst",
        "map_free_water",
        "map_kurtosis",
        "collect_measures",
        "draw_participant",
        "draw_thumbnails",
        "draw_viewer",
    }
    assert of_people - set(grouped) <= apart
    defined = set(re.findall(r"^rule (\w+):", "".join(p.read_text() for p in (ROOT / "workflow").rglob("*.smk")), re.M))
    assert set(grouped) <= defined
    assert set(grouped.values()) == {"t1w", "dwi", "swi", "maps"}


def test_a_group_never_waits_for_another_participant(finished_study):
    """What a grouped job takes comes from its own participant, or from a job of the whole study that takes no scan."""
    profile = yaml.safe_load((ROOT / "workflow/profiles/slurm/config.yaml").read_text())
    grouped = dict(entry.split("=") for entry in profile["groups"])
    makers = {path: record for record in finished_study.records() for path in record.output}
    seen = defaultdict(set)
    for record in finished_study.records():
        if record.job.rule in grouped:
            for path in record.input:
                maker = makers.get(path)
                others = {who for who in PEOPLE if maker and who in " ".join(maker.input + maker.output)}
                own = {who for who in PEOPLE if who in record.output[0]}
                assert not maker or others <= own, (record.job, maker.job)
                seen[record.job.rule] |= own
    assert seen["register_t1w"] == set(PEOPLE)
