"""Page that says how far a run is, while it runs."""

from collections.abc import Mapping, Sequence

from mndmri.report.pages import render


def status_page(
    *,
    title: str,
    state: str,
    written: str,
    left: str,
    stages: Mapping[str, Mapping[str, str]],
    study: Mapping[str, int],
    running: Sequence[str],
    failed: Sequence[Mapping[str, str]],
    links: Mapping[str, str],
    version: str,
) -> str:
    """Page of a run as HTML; while the run goes on, it reads itself again.

    Parameters
    ----------
    title : str
        Of the study.
    state : str
        ``running``, or how the run ended, in words.
    written : str
        Date and time.
    left : str
        How long the rest will take, in words; empty if nothing is left.
    stages : mapping
        Stage to participant_id to ``done``, ``running``, ``waiting`` or ``failed``
        (`mndmri.cohort.progress.people_by_stage`).
    study : mapping
        How many jobs of the whole study there are (``all``), and are ``done``, ``running``, ``waiting`` and ``failed``.
    running : sequence of str
        Jobs that run now.
    failed : sequence of mapping
        ``job, reason, log`` of jobs that failed.
    links : mapping
        Name of a page to its path from this one.
    version : str
    """
    people = list(dict.fromkeys(who for own in stages.values() for who in own))
    return render(
        "status.html.j2",
        title=title,
        state=state,
        written=written,
        left=left,
        stages={
            name: {word: list(own.values()).count(word) for word in ("done", "running", "waiting", "failed")}
            | {"all": len(own)}
            for name, own in stages.items()
        },
        study=dict(study),
        people={who: [own.get(who, "") for own in stages.values()] for who in people},
        running=list(running),
        failed=list(failed),
        links=dict(links),
        versions={"mndmri": version},
    )
