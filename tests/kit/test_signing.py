import base64

import pytest

from referral_rocket.kit import signing

# The vectors of Standard Webhooks and of RFC 4231 (case 2).
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
STANDARD = "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="
RFC_4231 = "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"


def test_it_works():
    body = b'{"test": 2432232314}'

    assert signing.standard_signature(SECRET, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, body) == STANDARD


def test_hexadecimal_and_base64_are_of_the_same_bytes():
    message = b"what do ya want for nothing?"

    assert signing.hex_signature("Jefe", message) == RFC_4231
    assert base64.b64decode(signing.base64_signature("Jefe", message)).hex() == RFC_4231


@pytest.mark.parametrize(
    ("given", "fits"), [(RFC_4231, True), (RFC_4231[:-1] + "0", False), ("", False), ("\u00e4\udcff", False)]
)
def test_same(given, fits):
    assert signing.same(RFC_4231, given) is fits


def test_a_new_secret_signs_and_is_new():
    first, second = signing.new_standard_secret(), signing.new_standard_secret()

    assert first != second
    assert len(base64.b64decode(first.removeprefix("whsec_"))) == 32
    assert signing.standard_signature(first, "msg_1", 1, b"") != signing.standard_signature(second, "msg_1", 1, b"")


def test_a_secret_that_is_no_base64():
    with pytest.raises(ValueError, match="whsec_"):
        signing.standard_signature("whsec_***", "msg_1", 1, b"")
