"""Which units do we look at, and with what probability did we choose each?

Makes `Frame` and `Sample`: a countable population, a deterministic draw with the inclusion probability on every row,
and train / dev / gold without leakage. Takes the spec; `label` takes what it makes.
"""

from martello.sample.audit import audit_sides
from martello.sample.lot import hash_threshold
from martello.sample.split import divide_units
from martello.sample.stage import draw_sample

__all__ = ["audit_sides", "divide_units", "draw_sample", "hash_threshold"]
