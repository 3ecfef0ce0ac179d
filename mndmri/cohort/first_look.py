"""What a run is about to do, on one screen: who has what, what is left out and why, and what it will take."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

from mndmri.cohort.costs import expected
from mndmri.cohort.records import STAND_INS, Study, stand_in_of
from mndmri.tables.words import name_people
from mndmri.units import person_of

_DISTORTION = {
    "reverse": "by the series of opposite phase encoding",
    "fieldmap": "by a field map",
    "t1w": "by the T1w image",
    "fsl": "by topup",
    "before": "corrected before",
    "none": "not corrected",
}


def first_look(study: Study, config: Mapping[str, Any], *, tools: Mapping[str, str] | None = None) -> list[str]:
    """Lines of the first screen.

    Parameters
    ----------
    study : Study
        As returned by `mndmri.cohort.settle`.
    config : mapping
        Resolved config.
    tools : mapping, optional
        Other programs that will be called, and their versions.
    """
    groups = study.participants["group"].value_counts()
    lines = [
        "Participants: "
        + ", ".join(f"{groups.get(name, 0)} {name}" for name in config["groups"]["levels"])
        + (" (simulated)" if study.simulated else "")
    ]
    if not config["measures"]:
        if study.visits is not None:
            lines.append(f"Visits: {_visits(study)}")
        lines += [f"{modality}: {_who_has(study, modality)}" for modality in config["modalities"]]
    lines += _details(study)
    lines += [f"Also used: {name} {version}" for name, version in (tools or {}).items()]
    lines += [f"Note: {note}" for note in study.notes]
    if study.scans and not study.simulated:
        minutes, gigabytes = expected(study)
        lines.append(f"Expected: about {minutes / 60:.1f} CPU hours, {gigabytes:.1f} GB in {config['output_dir']}")
    return [*lines, "Nothing is wrong with the input."]


def _visits(study: Study) -> str:
    """How many people have how many visits with scans."""
    seen = Counter(person_of(unit) for unit, own in study.scans.items() if own)
    people = Counter(seen[who] for who in study.participants["participant_id"])
    counted = ", ".join(f"{n} with {number}" for number, n in sorted(people.items(), reverse=True))
    return f"{seen.total()} of {len(seen)} participants ({counted})"


def _who_has(study: Study, modality: str) -> str:
    """How many have a modality; the others by name, with the reason."""
    everyone = list(study.participants["participant_id"]) if study.visits is None else list(study.scans)
    has = [who for who in everyone if modality in study.scans.get(who, {})]
    # a susceptibility map alone is no weighted image, and is mapped
    other = [who for who in everyone if modality == "swi" and who not in has and "qsm" in study.scans.get(who, {})]
    reasons: dict[str, list[str]] = {}
    for who in everyone:
        if who not in has and who not in other:
            reasons.setdefault(study.left_out.get(who, {}).get(modality, "left out"), []).append(who)
    text = f"{len(has)} of {len(everyone)}{' visits' * (study.visits is not None)}"
    if other:
        text += f"; a susceptibility map alone: {name_people(other)}"
    told: dict[str, list[str]] = {}
    for who in has:
        if modality in study.excluded.get(who, {}):
            told.setdefault(study.excluded[who][modality], []).append(who)
    for why, people in told.items():
        text += f"; not counted: {name_people(people)} ({why})"
    for why, people in reasons.items():
        text += f"; without: {name_people(people)} ({why})"
    return text


def _details(study: Study) -> list[str]:
    """What takes the place of a T1w image in how many; how distortion will be corrected; echoes and phase."""
    methods: Counter[str] = Counter()
    echoes: Counter[int] = Counter()
    phase = 0
    for own in study.scans.values():
        if "dwi" in own:
            methods[_DISTORTION[own["dwi"].distortion or "none"]] += 1
        if "swi" in own and "magnitude" in own["swi"].files:
            echoes[len(own["swi"].files["magnitude"])] += 1
        phase += "qsm" in own and "phase" in own["qsm"].files
    stand_ins = Counter(name for own in study.scans.values() if (name := stand_in_of(own)))
    lines = []
    if stand_ins:
        counted = ", ".join(f"{STAND_INS[name]} in {n}" for name, n in stand_ins.most_common())
        lines.append(f"  in place of the T1w image: {counted}; no volumes, no thickness")
    if methods:
        lines.append("  distortion of dwi: " + ", ".join(f"{how} in {n}" for how, n in methods.most_common()))
    if echoes:
        counted = ", ".join(f"{n} with {number} echo{'es' * (number > 1)}" for number, n in sorted(echoes.items()))
        lines.append(f"  gradient echo: {counted}; phase in {phase}")
    return lines
