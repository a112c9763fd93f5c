"""What an import's status may become. Every change of it goes through `services` or the worker, guarded by the old one."""

from participants.importing.models import ImportStatus
from referral_rocket.kit.transitions import Transitions

_S = ImportStatus
IMPORT_TRANSITIONS: Transitions[str] = Transitions(
    {
        _S.MAPPING: frozenset({_S.CHECKING, _S.DISCARDED}),
        _S.CHECKING: frozenset({_S.CHECKED, _S.FAILED}),
        _S.CHECKED: frozenset({_S.CHECKING, _S.RUNNING, _S.DISCARDED}),
        _S.RUNNING: frozenset({_S.FINISHED, _S.FAILED}),
        _S.FINISHED: frozenset({_S.UNDOING}),
        _S.UNDOING: frozenset({_S.UNDONE, _S.FAILED}),
        # Whatever it was at: what is done is done, and it can go on from there or be taken back.
        _S.FAILED: frozenset({_S.CHECKING, _S.RUNNING, _S.UNDOING, _S.DISCARDED}),
        _S.UNDONE: frozenset(),
        _S.DISCARDED: frozenset(),
    }
)
# While a worker is at it.
AT_WORK = (_S.CHECKING, _S.RUNNING, _S.UNDOING)
