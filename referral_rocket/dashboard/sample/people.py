"""The people of the sample data, the same ones for the same seed."""

from collections.abc import Iterator
from dataclasses import dataclass
from random import Random

_FIRST = [
    "Amara",
    "Jonas",
    "Priya",
    "Mateo",
    "Wei",
    "Léa",
    "Noah",
    "Sofia",
    "Kwame",
    "Ingrid",
    "Tomás",
    "Aisha",
    "Oliver",
    "Hana",
    "Diego",
    "Freya",
    "Samuel",
    "Nadia",
    "Lukas",
    "Mei",
    "Gabriel",
    "Zoe",
    "Arjun",
    "Clara",
    "Ibrahim",
    "Elena",
    "Theo",
    "Yuki",
    "Rosa",
    "Callum",
    "Fatima",
    "Hugo",
    "Leila",
    "Marcus",
    "Anya",
    "Felix",
    "Imani",
    "Pavel",
    "Greta",
    "Rafael",
    "Maya",
    "Stefan",
    "Chiara",
    "Omar",
    "Vera",
    "Daniel",
    "Ada",
    "Kofi",
    "Selma",
    "Adrian",
]
_LAST = [
    "Okafor",
    "Lindqvist",
    "Raman",
    "Hernández",
    "Zhang",
    "Fontaine",
    "Bennett",
    "Rossi",
    "Mensah",
    "Haugen",
    "Silva",
    "Rahman",
    "Clarke",
    "Sato",
    "Morales",
    "Jensen",
    "Adeyemi",
    "Petrova",
    "Weber",
    "Chen",
    "Costa",
    "Müller",
    "Iyer",
    "Novak",
    "Haddad",
    "Popescu",
    "Laurent",
    "Tanaka",
    "Vega",
    "Murray",
    "Khan",
    "Dubois",
    "Nasser",
    "Wright",
    "Kowalski",
    "Becker",
    "Osei",
    "Horák",
    "Schmidt",
    "Almeida",
    "Levi",
    "Gruber",
    "Bianchi",
    "Farouk",
    "Sokolov",
    "Nguyen",
    "Park",
    "Boateng",
    "Berg",
    "Walsh",
]
_PLAIN = str.maketrans("éáàäöüíóôčćřž", "eaaaouiooccrz")
_HOSTS = ("example.com", "example.org", "example.net")


@dataclass(frozen=True)
class Person:
    """`number` is different for each. `known_to_stripe`: whether Stripe's stand-in has this customer."""

    number: int
    name: str
    email: str
    country: str
    known_to_stripe: bool

    def stripe_id(self, *, livemode: bool) -> str:
        return f"cus_sample{'' if livemode else 'Test'}{self.country}{self.number:06d}"


def people(random: Random, country: str) -> Iterator[Person]:
    """Endless, every e-mail once."""
    pairs = [(first, last) for first in _FIRST for last in _LAST]
    random.shuffle(pairs)
    for number, (first, last) in enumerate(pairs, 1):
        address = f"{first}.{last}".lower().translate(_PLAIN)
        # One in nine is a customer whom Stripe never heard of, so that a batch has something to say.
        yield Person(
            number=number,
            name=f"{first} {last}",
            email=f"{address}@{random.choice(_HOSTS)}",
            country=country,
            known_to_stripe=random.random() > 1 / 9,
        )
