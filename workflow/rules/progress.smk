"""How far the run is: a line now and then, and a page in the results. No rules here."""

from contextlib import suppress

from mndmri.cohort.last_look import log_of
from mndmri.cohort.progress import DONE, FAILED, RUNNING, WAITING, Task
from mndmri.cohort.watch import GOING, Watch

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
            place=PLACE,
            stages={
                modality: units(modality)
                + [own["who"] for own in lost if own["stage"] == modality]
                for modality in MODALITIES
                if units(modality)
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
    to_do = set(workflow.dag.needrun_jobs(exclude_finished=False))
    layers = workflow.dag.toposorted(to_do)
    return [job for layer in layers for job in layer if job.output]  # not so `all`


def task_of(job, places):
    """A job as those see it who look at the progress."""
    needs = [places[own] for own in workflow.dag.dependencies[job] if own in places]
    return Task(job.rule.name, unit_of_job(job), branch_of(job)[0], needs)


def lost_before():
    """What participants lack because of jobs that failed in the pass before."""
    return [
        {"who": who, "stage": part, "job": f"{part} of {who}", "reason": reason}
        | {"log": str(log_of(reason, [who], LOGS))}
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
        who = unit_of_job(job)
        found.append(
            {
                "who": who,
                "job": f"{job.rule.name} of {who}" if who else job.rule.name,
                "reason": bad_end(job.log[0], since=BEGAN).reason,
                "log": str(job.log[0]),
            }
        )
    return found


def single_jobs(found):
    """Jobs, those of groups one by one."""
    return {own for job in list(found) for own in getattr(job, "jobs", [job])}
