"""Signs that a referral isn't one."""

import pytest

from participants.fraud import mailbox, suspicion


def test_it_works():
    assert suspicion(referred_key="friend@example.com", referrer_key="sharer@example.com") is None


@pytest.mark.parametrize(
    ("key", "where"),
    [
        ("ada@example.com", "ada@example.com"),
        # At a domain whose rules we don't know, a tag and dots may be another person's.
        ("ada+shop@example.com", "ada+shop@example.com"),
        ("a.d.a@outlook.com", "a.d.a@outlook.com"),
        ("ada+shop@outlook.com", "ada@outlook.com"),
        ("a.d.a+shop@gmail.com", "ada@gmail.com"),
        ("ada@googlemail.com", "ada@gmail.com"),
        ("5f2b9c0e", None),
    ],
)
def test_where_mail_ends_up(key, where):
    assert mailbox(key) == where


@pytest.mark.parametrize(
    ("referred", "referrer", "words"),
    [
        ("ada+2@gmail.com", "a.da@googlemail.com", "one mailbox"),
        ("ada@mailinator.com", "bob@example.com", "The referred person's e-mail address"),
        ("bob@example.com", "ada@mailinator.com", "The referrer's e-mail address"),
    ],
)
def test_what_is_held(referred, referrer, words):
    assert words in suspicion(referred_key=referred, referrer_key=referrer)


def test_two_erased_people_are_not_one():
    assert suspicion(referred_key="5f2b9c0e", referrer_key="5f2b9c0e") is None
