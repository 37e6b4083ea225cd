"""`locals`: what middleware and hooks leave for the body, for one attempt (features.md 3.3)."""

from typing import Any, Generic, TypeVar, cast, overload

from engine.sdk.context import current

T = TypeVar("T")


class LocalKey(Generic[T]):
    """A name for a value of the attempt; two keys of one name are the same place.

    Example:
        DATABASE = LocalKey[Database]("database")

        @hooks.middleware
        def connected(next):
            with connect() as database:
                DATABASE.set(database)
                next()
    """

    def __init__(self, name: str) -> None:
        self.name = name

    def set(self, value: T) -> T:
        """Keep `value` for the rest of this attempt; returns it."""
        store()[self.name] = value
        return value

    def get(self) -> T | None:
        """The value, or None when nothing was set in this attempt."""
        return cast("T | None", store().get(self.name))

    def get_or_raise(self) -> T:
        """The value. Raises LookupError when nothing was set in this attempt."""
        try:
            return cast("T", store()[self.name])
        except KeyError:
            raise LookupError(
                f"Nothing was set for the local “{self.name}” in this attempt: set it in a "
                "middleware or a hook that comes before."
            ) from None

    def __repr__(self) -> str:
        return f"<LocalKey {self.name}>"


class Locals:
    """The same in the reference's words: `locals.create("database")`, `locals.set(key, value)`."""

    @overload
    def create(self, name: str) -> LocalKey[Any]: ...
    @overload
    def create(self, name: str, kind: type[T]) -> LocalKey[T]: ...
    def create(self, name: str, kind: Any = None) -> LocalKey[Any]:
        """A key; `kind` is for type checkers."""
        return LocalKey(name)

    def set(self, key: LocalKey[T], value: T) -> T:
        """Keep a value for the rest of this attempt; returns it."""
        return key.set(value)

    def get(self, key: LocalKey[T]) -> T | None:
        """The value, or None when nothing was set in this attempt."""
        return key.get()

    def get_or_raise(self, key: LocalKey[T]) -> T:
        """The value. Raises LookupError when nothing was set in this attempt."""
        return key.get_or_raise()


def store() -> dict[str, Any]:
    """The values of the attempt this code belongs to."""
    ctx = current()
    if ctx is None:
        raise LookupError("Locals exist while a run executes; this code belongs to none.")
    return ctx._locals


locals = Locals()  # noqa: A001  the reference's name
