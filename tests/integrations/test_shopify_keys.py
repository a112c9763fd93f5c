import pytest

from integrations.errors import InvalidCredentials
from integrations.providers.shopify import codes, keys

GOOD = {
    "shop": "acme-coffee.myshopify.com",
    "access_token": "shpat_0123456789abcdef",
    "client_secret": "shpss_0123456789",
}


def test_it_works():
    keys.check_credentials(GOOD)

    assert keys.mode_of(GOOD) is None


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("shop", "acme-coffee"),
        ("shop", "https://acme-coffee.myshopify.com"),
        ("shop", "acme.example.com/x.myshopify.com"),
        ("shop", "evil.example#.myshopify.com"),
        ("shop", "-acme.myshopify.com"),
        ("shop", "Acme.myshopify.com"),
        ("access_token", "sk_test_0123456789"),
        ("access_token", "shpat_0123 456789"),
        ("client_secret", "short"),
        ("client_secret", "with a space in it"),
    ],
)
def test_what_can_not_be_right(field, value):
    with pytest.raises(InvalidCredentials) as caught:
        keys.check_credentials({**GOOD, field: value})

    assert [(name, code) for name, code, _ in caught.value.errors] == [(f"credentials.{field}", "invalid")]


@pytest.mark.parametrize("known_as", ["207119551", "gid://shopify/Customer/207119551"])
def test_a_customers_id_in_both_forms(known_as):
    assert keys.customer_gid(known_as) == "gid://shopify/Customer/207119551"
    assert keys.customer_number(keys.customer_gid(known_as)) == "207119551"


def test_codes_follow_from_the_key_and_from_the_installation(settings):
    first = codes.gift_card_code("a:1")

    assert codes.gift_card_code("a:1") == first
    assert len({first, codes.gift_card_code("a:2"), codes.gift_card_code("b:1"), codes.discount_code("a:1")}) == 4
    settings.SECRET_KEY = "another installation's secret, thirty-two"
    assert codes.gift_card_code("a:1") != first


def test_codes_have_the_shape_that_shopify_takes():
    """8 to 20 letters and digits: GiftCardCreateInput.code."""
    assert codes.gift_card_code("a:1").isalnum()
    assert len(codes.gift_card_code("a:1")) == 20
    assert codes.discount_code("a:1").isalnum()
    assert len(codes.discount_code("a:1")) == 12
