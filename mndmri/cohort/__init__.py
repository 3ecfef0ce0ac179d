"""Participants and scans of a study: read and checked, with all problems in one list."""

from mndmri.cohort.checks import check_scan, check_study, images_of, settle, stamp
from mndmri.cohort.given import read_people
from mndmri.cohort.records import Problem, Scan, Study
from mndmri.cohort.scans import find_scans, load_study
from mndmri.cohort.table import category_columns, count_left_out, load_participants, participants_path

__all__ = [
    "Problem",
    "Scan",
    "Study",
    "category_columns",
    "check_scan",
    "check_study",
    "count_left_out",
    "find_scans",
    "images_of",
    "load_participants",
    "load_study",
    "participants_path",
    "read_people",
    "settle",
    "stamp",
]
