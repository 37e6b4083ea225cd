"""Server-sent events out of the bytes they come in."""

from collections.abc import Iterator


class Events:
    """Collects bytes until an event is whole. Comments, and what has no data, are no events."""

    def __init__(self) -> None:
        self._rest = b""
        self._id, self._data = "", list[str]()

    def fed(self, piece: bytes) -> Iterator[tuple[str, str]]:
        """Id and data of the events that are whole now."""
        # line ends only: text has other characters that some take for them
        *lines, self._rest = (self._rest + piece).split(b"\n")
        for line in lines:
            text = line.removesuffix(b"\r").decode()
            if text:
                self._note(text)
                continue
            if self._data:
                yield self._id, "\n".join(self._data)
            self._data = []

    def _note(self, line: str) -> None:
        name, _, value = line.partition(":")
        value = value.removeprefix(" ")
        if name == "id":
            self._id = value
        elif name == "data":
            self._data.append(value)
