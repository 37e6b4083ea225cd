"""A stored document in a form: as its reader may see it, and stored whole again when it comes back."""

from dataclasses import dataclass

from dashboard import sight
from runs import redaction
from runs.errors import InvalidOption

#: Above this a document is kept as it is: no browser edits it well.
EDITABLE = 1_000_000


@dataclass(frozen=True, slots=True)
class Original:
    """The stored text, if there is one, and the name of its column."""

    text: str | None
    source: str = "payload"

    @property
    def is_hidden(self) -> bool:
        """Whether there is one the reader may not see."""
        return self.text is not None and sight.is_hidden()

    @property
    def is_fixed(self) -> bool:
        """Whether it can only be kept."""
        return self.is_hidden or (self.text is not None and len(self.text) > EDITABLE)

    @property
    def shown(self) -> str:
        """What stands in the field."""
        if self.text is None or self.is_fixed:
            return ""
        return sight.document(self.text, self.source)

    def is_kept(self, sent: str | None) -> bool:
        """Whether the field was left alone (a browser rewrites line ends)."""
        if self.is_fixed:
            return True
        if sent is None or self.text is None:
            return sent is self.text
        return sent in (self.shown, self.shown.replace("\r\n", "\n").replace("\r", "\n"))

    def given(self, sent: str | None) -> str | None:
        """What was sent, with what is masked put back. Raises InvalidOption."""
        if self.is_kept(sent):
            return self.text
        if sent is None:
            return None
        try:
            return redaction.restored(sent, self.text or "null", self.source)
        except InvalidOption as error:
            raise InvalidOption(self.source, str(error)) from None


#: Of a form that begins with nothing.
NOTHING = Original(None)
