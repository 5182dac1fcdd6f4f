from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from martello.train.times import time_parts


@given(st.datetimes(min_value=datetime(1, 1, 1), max_value=datetime(9999, 12, 31)))
def test_the_parts_of_a_moment_are_those_of_the_calendar(moment):
    since = moment.replace(tzinfo=UTC) - datetime(1970, 1, 1, tzinfo=UTC)
    (day, hour, weekday, month), missing = time_parts([since // timedelta(microseconds=1), None])
    assert day == pytest.approx(since / timedelta(days=1), rel=1e-15)
    assert (hour, weekday, month) == (moment.hour, moment.weekday(), moment.month)
    assert np.isnan(missing).all()
