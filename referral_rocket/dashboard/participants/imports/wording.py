"""What is wrong with rows, in a few words; the rows themselves say it in a sentence."""

_PROBLEMS = {
    "no_email": "No e-mail address",
    "invalid_email": "Not an e-mail address",
    "duplicate": "Same e-mail twice",
    "duplicate_code": "Same referral code twice",
    "duplicate_id": "Same id of yours twice",
    "code_taken": "Referral code in use",
    "id_taken": "Your id is another customer's",
    "invalid_code": "Code can't be kept",
    "invalid_date": "Not a date",
    "too_long": "Too long",
    "too_many_cells": "More values than columns",
    "unknown_referrer": "Referrer not found",
    "ambiguous_referrer": "Referrer not clear",
    "referrer_wrong": "Referrer can't be imported",
    "referral_refused": "Referrer can't be set",
    "self_referral": "Referred by themselves",
    "circle": "Referred one another",
    "erased": "Erased meanwhile",
    "gone": "No longer there",
    "not_written": "Couldn't be written",
}


def problem_word(code: str) -> str:
    return _PROBLEMS.get(code, code.replace("_", " ").capitalize())
