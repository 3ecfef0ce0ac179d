"""Simulated cohort with known truth: heads with planted damage, and their scans.

`plan` draws the people, `anatomy` builds the head that they share, `deformation` makes each
person's own head of it, `t1w`, `dwi` and `gre` scan them, `truth` holds the tables of true values.
"""
