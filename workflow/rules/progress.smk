"""How far the run is: a line now and then, and a page in the results. No rules here."""

from contextlib import suppress

from mndmri.cohort.progress import DONE, FAILED, RUNNING, WAITING, Task
from mndmri.cohort.watch import Watch

# The one that looks at this run.
WATCHES = []


def watch_progress():
    """Begin to look. A run goes on without it where that fails."""
    with suppress(Exception):
        jobs = jobs_in_order()
        places = {job: place for place, job in enumerate(jobs)}
        lost = lost_before()
        watch = Watch(
            [task_of(job, places) for job in jobs]
            + [Task("lost", own["who"], own["stage"], []) for own in lost],
            lambda: look_at(jobs, lost),
            lambda line: print(line, file=sys.stderr),
            results=RESULTS,
            stages={
                modality: [f"sub-{who}" for who in people(modality)]
                + [own["who"] for own in lost if own["stage"] == modality]
                for modality in MODALITIES
                if people(modality)
            },
            at_once=workflow.nodes if workflow.non_local_exec else workflow.cores,
            title=study_title(config),
            version=VERSION,
        )
        watch.start()
        WATCHES.append(watch)


def end_watch(state):
    """Say on the page how the run ended."""
    while WATCHES:
        WATCHES.pop().end(state)


def jobs_in_order():
    """Jobs that the run has to do, each after those that it needs."""
    ordered, seen = [], set()

    def add(job):
        if job in seen or not workflow.dag.needrun(job):
            return
        seen.add(job)
        for needed in workflow.dag.dependencies[job]:
            add(needed)
        if job.output:  # not so `all`
            ordered.append(job)

    for job in workflow.dag.jobs:
        add(job)
    return ordered


def task_of(job, places):
    """A job as those see it who look at the progress."""
    wildcards, file = dict(job.wildcards.items()), Path(job.rule.snakefile).stem
    branch, _ = DECLARED.get(job.rule.name, (BRANCHES.get(file, file), False))
    whose = f"sub-{wildcards['subject']}" if "subject" in wildcards else ""
    needs = [places[own] for own in workflow.dag.dependencies[job] if own in places]
    return Task(job.rule.name, whose, branch.format(**wildcards).lower(), needs)


def lost_before():
    """What participants lack because of jobs that failed in the pass before."""
    return [
        {"who": who, "stage": part, "job": f"{part} of {who}", "reason": reason}
        | {"log": f"{LOGS}/{reason.split()[0]}"}
        for who, loss in LOSSES.items()
        for part, reasons in loss.reasons.items()
        for reason in reasons
    ]


def look_at(jobs, lost):
    """State of each job, then of what was lost before, and all that failed."""
    failed, running = (
        single_jobs(found)
        for found in (workflow.scheduler.failed, workflow.scheduler.running)
    )

    def state(job):
        if job in failed:
            return FAILED
        if workflow.dag.finished(job):
            return DONE
        return RUNNING if job in running else WAITING

    states = [state(job) for job in jobs] + [FAILED] * len(lost)
    return states, [*lost, *failed_now()]


def failed_now():
    """Jobs that have failed so far, each with the reason and the log."""
    found = []
    for job in sorted(single_jobs(workflow.scheduler.failed), key=str):
        wildcards = dict(job.wildcards.items())
        whose = f" of sub-{wildcards['subject']}" if "subject" in wildcards else ""
        found.append(
            {
                "job": f"{job.rule.name}{whose}",
                "wildcards": wildcards,
                "reason": bad_end(job.log[0], since=BEGAN).reason,
                "log": str(job.log[0]),
            }
        )
    return found


def single_jobs(found):
    """Jobs, those of groups one by one."""
    return {own for job in list(found) for own in getattr(job, "jobs", [job])}
