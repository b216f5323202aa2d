"""What a pickle describes, without running it: a machine for its opcodes, and the inert records that it leaves."""

from .machine import Reader, unpickle
from .records import Budget, Name, PickleError, Record, short

__all__ = ["Budget", "Name", "PickleError", "Reader", "Record", "short", "unpickle"]
