from __future__ import annotations

import json

import pytest

from label.room_world import Clock
from martello.errors import DataError, IntegrityError
from martello.label.register import Register


def refused(do):
    with pytest.raises(DataError) as caught:
        do()
    return caught.value.code


def test_a_token_says_whose_it_is_and_only_its_hash_is_kept(tmp_path):
    register = Register(tmp_path, clock=Clock())
    ann, boss = register.invite("Ann"), register.invite("Boss", role="owner", days=None)
    assert (register.who(ann).name, register.who(ann).role) == ("Ann", "annotator")
    assert (register.who(boss).role, register.who(boss).expires_at) == ("owner", None)
    kept = (tmp_path / "annotators.json").read_text()
    assert ann not in kept
    assert boss not in kept
    assert len(ann) >= 32
    assert ann != register.invite("Cy")


def test_a_new_token_ends_the_old_one_and_other_peoples_stay(tmp_path):
    register = Register(tmp_path, clock=Clock())
    old, other = register.invite("Ann"), register.invite("Bob")
    new = register.invite("Ann")
    assert refused(lambda: register.who(old)) == "label.unknown-token"
    assert register.who(new).name == "Ann"
    assert register.who(other).name == "Bob"
    assert [each.name for each in register.all()] == ["Ann", "Bob"]


def test_tokens_end_with_their_time_or_by_the_owners_word(tmp_path):
    clock = Clock()
    register = Register(tmp_path, clock=clock)
    short, long = register.invite("Ann", days=1), register.invite("Bob", days=30)
    clock.now += 86_400
    assert refused(lambda: register.who(short)) == "label.expired-token"
    register.revoke("Bob")
    assert refused(lambda: register.who(long)) == "label.unknown-token"
    assert [each.is_revoked for each in register.all()] == [False, True]
    assert refused(lambda: register.revoke("Nobody")) == "label.unknown-annotator"
    assert refused(lambda: register.who("")) == "label.unknown-token"


def test_an_invitation_of_another_process_is_seen_at_once(tmp_path):
    here, there = Register(tmp_path, clock=Clock()), Register(tmp_path, clock=Clock())
    assert here.all() == ()
    token = there.invite("Ann")
    assert here.who(token).name == "Ann"
    there.revoke("Ann")
    assert refused(lambda: here.who(token)) == "label.unknown-token"


@pytest.mark.parametrize("name", ["", "  ", "a\nb", "model:gpt", "x" * 101])
def test_a_name_that_is_none_is_refused(tmp_path, name):
    assert refused(lambda: Register(tmp_path).invite(name)) == "label.bad-name"


def test_a_changed_file_is_refused_by_name(tmp_path):
    register = Register(tmp_path)
    register.invite("Ann")
    path = tmp_path / "annotators.json"
    for text in ("{", json.dumps([{"name": "Eve", "role": "queen", "digest": "", "expires": None}])):
        path.write_text(text)
        with pytest.raises(IntegrityError) as caught:
            register.all()
        assert caught.value.code == "label.register-damaged"
