"""A state machine as a table: an enum of states and, for each, the states it may become."""

from collections.abc import Mapping
from typing import Generic, TypeVar

State = TypeVar("State", bound=str)


class InvalidTransition(Exception):
    """A change of state that the table doesn't have. `current` and `wanted` name the two states."""

    def __init__(self, current: str, wanted: str) -> None:
        super().__init__(f"{current} can't become {wanted}")
        self.current = current
        self.wanted = wanted


class Transitions(Generic[State]):
    def __init__(self, table: Mapping[State, frozenset[State]]) -> None:
        self._table = table

    def allows(self, current: State, wanted: State) -> bool:
        return wanted in self._table.get(current, frozenset())

    def check(self, current: State, wanted: State) -> None:
        """Raises InvalidTransition where the table doesn't have it."""
        if not self.allows(current, wanted):
            raise InvalidTransition(current, wanted)

    def final(self) -> frozenset[State]:
        """States that nothing leaves."""
        return frozenset(state for state, following in self._table.items() if not following)
