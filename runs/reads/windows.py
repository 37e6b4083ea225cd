"""Time windows over ids: an id carries its millisecond, so a window is a range of the primary key."""

from datetime import UTC, datetime, timedelta

from runs.ids import ALPHABET, RANDOM_BITS, encode

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MILLISECOND = timedelta(milliseconds=1)
TIME_LETTERS = 10


def floor_id(prefix: str, moment: datetime) -> str:
    """The smallest id an object made at `moment` or later can have."""
    milliseconds = max(0, (moment - EPOCH) // MILLISECOND)
    return f"{prefix}_{encode(milliseconds << RANDOM_BITS)}"


def moment_of(identifier: str) -> datetime:
    """When the object of this id was made, to the millisecond."""
    letters = identifier.partition("_")[2][:TIME_LETTERS]
    value = 0
    for letter in letters:
        value = value * 32 + ALPHABET.index(letter)
    # 26 letters hold 130 bits, two more than an id has, so ten letters are exactly the 48 time bits
    return EPOCH + timedelta(milliseconds=value)
