"""From everybody in the participants table to those in whom each modality is measured: who was lost where, and why."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any

from mndmri.cohort.records import Study
from mndmri.tables.decisions import EVERYTHING, by_readers
from mndmri.tables.words import readable


def participant_flow(study: Study, config: Mapping[str, Any], *, modalities: Iterable[str]) -> list[dict[str, Any]]:
    """Steps of a flow diagram of participants (after STARD 2015), in order.

    Parameters
    ----------
    study : Study
        As settled, without what failed.
    config : mapping
        Resolved config.
    modalities : iterable of str
        Those that are made of the scans, as in `failures.stages`.

    Returns
    -------
    list of dict
        ``step``; ``modality`` of a step after *studied*, empty before; ``n``, participants; and ``lost``, reason to the
        participants who are lost for it, empty where they go on.
    """
    studied = list(study.participants["participant_id"])
    read = by_readers(study.excluded)
    wholly = {who: why[EVERYTHING] for who, why in read.items() if EVERYTHING in why}
    by_config = {who: why for who, why in config["exclude"].items() if who in study.cases}
    wholly = {who: why for who, why in wholly.items() if who not in by_config}
    others = [who for who in study.cases if who not in {*studied, *by_config, *wholly}]
    steps = [_step("in the participants table", study.cases)]
    steps += [_lost("in no group of the study", dict.fromkeys(others, "label in no group"))] if others else []
    steps += [_lost("excluded in the config", by_config)] if by_config else []
    steps += [_lost("excluded by readers", wholly)] if wholly else []
    steps.append(_step("studied", studied))
    for modality in modalities if study.scans else []:
        name = readable(modality)
        not_counted = {who: why[modality] for who, why in study.excluded.items() if modality in why and who in studied}
        out = {who: why for who, why in not_counted.items() if modality in read.get(who, {})}
        there = [who for who in studied if modality in study.scans.get(who, {}) and who not in not_counted]
        lacking = {
            who: not_counted.get(who, study.left_out.get(who, {}).get(modality, "none in the dataset"))
            for who in studied
            if who not in {*there, *out}
        }
        steps += [_lost(f"{name}: without", lacking, modality)] if lacking else []
        steps += [_lost(f"{name}: excluded by readers", out, modality)] if out else []
        steps.append(_step(f"{name}: measured", there, modality))
    return steps


def _step(step: str, people: Collection[str], modality: str = "") -> dict[str, Any]:
    return {"step": step, "modality": modality, "n": len(people), "lost": {}}


def _lost(step: str, reasons: Mapping[str, str], modality: str = "") -> dict[str, Any]:
    by_reason: dict[str, list[str]] = {}
    for who, why in reasons.items():
        by_reason.setdefault(why, []).append(who)
    return _step(step, reasons, modality) | {"lost": by_reason}
