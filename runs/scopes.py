"""What a public token allows: scopes as `action[:type[:id]]`, like `read:runs:run_01k…`."""

from collections.abc import Iterable
from typing import NamedTuple

#: Type and id of what is asked for; without an id, all of that type.
Resource = tuple[str, str | None]
#: Both mean any: of actions, of types.
ANY_ACTION, ANY_TYPE = frozenset({"*", "admin"}), "all"


class Scope(NamedTuple):
    """One of them, taken apart. Without an id it allows every one of its type, with an empty one none."""

    action: str
    type: str
    id: str | None

    @classmethod
    def read(cls, text: str) -> "Scope":
        """An id may have colons in it."""
        action, _, rest = text.partition(":")
        kind, colon, one = rest.partition(":")
        return cls(action, kind, one if colon else None)

    def admits(self, action: str, resource: Resource) -> bool:
        if self.action == "admin" and not self.type:
            return True
        if self.action != action and self.action not in ANY_ACTION:
            return False
        if self.type != ANY_TYPE and self.type != resource[0]:
            return False
        return self.id is None or self.id == resource[1]


def admits(scopes: Iterable[Scope], action: str, resources: Iterable[Resource]) -> bool:
    """Whether one of the scopes allows the action on one of these."""
    wanted = list(resources)
    return any(scope.admits(action, resource) for scope in scopes for resource in wanted)
