from __future__ import annotations

import itertools
import re

import msgspec
import numpy as np
from scipy.stats import binom

from label.room_world import GOLD, SCORES, N, gold_room, label
from martello.label.meter import GoldMeter, Track, saved, training_meter
from martello.label.reading import plain_reading
from martello.stats.certification import Certification
from martello.stats.estimate import Verdict


def decided(precision):
    process = Certification(SCORES, precision=precision, threshold=0.5, seed=1)
    truth_at = np.random.default_rng(2).random(N) < SCORES
    while process.verdict is Verdict.UNDECIDED:
        drawn = process.next(5)
        process.observe(drawn.position, truth_at[drawn.position])
    return process


def test_the_sentence_is_in_the_words_people_were_promised(tmp_path):
    with gold_room(tmp_path, gold=msgspec.structs.replace(GOLD, precision=0.72)) as room:
        assert room.meter().sentence.startswith("precision not known yet, need 0.72: too early to say")
        label(room, "ann", 60)
        meter = room.meter()
    found = re.fullmatch(
        r"precision so far (0\.\d\d) \((0\.\d\d)–(0\.\d\d)\), need 0\.72: about ([\d,]+) labels? left", meter.sentence
    )
    assert found, meter.sentence
    estimate = meter.claims[0].estimate
    assert [float(found[i]) for i in (1, 2, 3)] == [round(x, 2) for x in (estimate.value, estimate.low, estimate.high)]
    assert meter.n_needed == 60 + int(found[4].replace(",", ""))
    assert meter.n_needed_range[0] <= meter.n_needed <= meter.n_needed_range[1]


def test_done_is_said_with_the_certainty_and_what_was_saved(tmp_path):
    with gold_room(tmp_path) as room:
        label(room, "ann", N)
        meter = room.meter()
    assert meter.sentence.startswith("Done: met with 95 % certainty. Precision 0.")
    assert (meter.is_done, meter.next_step, meter.n_needed_range) == (True, "martello run", None)
    assert "labels saved" in meter.saved


def test_a_refused_requirement_is_said_plainly():
    process = decided(0.9)
    meter = GoldMeter().read(process, lambda counts: iter(()), n_settled=9, n_for_owner=0, is_spent=False)
    assert meter.sentence.startswith("Done: not met with 95 % certainty.")


def test_what_was_saved_is_against_the_exact_test_at_the_same_level_with_power_nine_in_ten():
    process = decided(0.68)
    value = process.interval["precision"].value

    def power(n):
        critical = binom.isf(0.05, n, 0.68) + 1  # least count that an exact one-sided test takes as above the floor
        return binom.sf(critical - 1, n, value)

    enough = next(n for n in range(1, 5000) if all(power(m) >= 0.9 for m in range(n, n + 200)))
    told = int(re.search(r"needs ([\d,]+) labels", saved(process, plain_reading(process)))[1].replace(",", ""))
    assert abs(told - enough) <= 1
    assert f"{told - process.n_labeled:,} labels saved" in saved(process, plain_reading(process))


def test_the_picture_narrows_and_is_the_same_after_a_restart(tmp_path):
    gold = msgspec.structs.replace(GOLD, precision=0.74)
    with gold_room(tmp_path, gold=gold) as room:
        label(room, "ann", 120)
        here = room.meter().claims[0].history
    with gold_room(tmp_path, gold=gold) as room:
        again = room.meter().claims[0].history
    assert here == again
    counts, lows, _, highs = zip(*here, strict=True)
    assert list(counts) == sorted(set(counts))
    assert counts[-1] == 120
    assert all(a <= b for a, b in itertools.pairwise(lows))
    assert all(a >= b for a, b in itertools.pairwise(highs))
    assert all(low <= value <= high for _, low, value, high in here)


def test_the_picture_never_has_more_than_two_hundred_points():
    track, interval = Track(), decided(0.60).interval
    for n in range(1, 1500):
        track.note(n, interval)
    (claim,) = track.claims({"precision": 0.6}, interval)
    assert 100 < len(claim.history) <= 200
    assert (claim.history[0][0], claim.history[-1][0]) == (1, 1499)


def test_slices_are_named_for_people_and_the_least_certain_is_told(tmp_path):
    gold = msgspec.structs.replace(GOLD, precision=0.70, slices={"sex": np.where(np.arange(N) % 2, "F", "M")})
    with gold_room(tmp_path, gold=gold) as room:
        label(room, "ann", 50)
        meter = room.meter()
    assert [claim.name for claim in meter.claims] == ["precision", "precision where sex = F", "precision where sex = M"]
    assert meter.sentence.count("precision where sex = ") == 1


def test_training_counts_down():
    assert training_meter(0, 10, n_for_owner=2, is_spent=False).sentence == (
        "0 of 10 labels: 10 left; 2 units wait for the owner"
    )
    assert training_meter(12, 10, n_for_owner=0, is_spent=False).sentence == "Done: 12 labels"
