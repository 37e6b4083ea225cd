from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.http import base36_to_int

MINUTE, DAY = 60, 24 * 3600


class LinkTokens(PasswordResetTokenGenerator):
    """Signed login tokens that need no table: a login or a password change spends them."""

    def __init__(self, purpose: str, lifetime: int) -> None:
        super().__init__()
        self.key_salt, self.lifetime = f"dashboard.accounts.{purpose}", lifetime

    def check_token(self, user: User | None, token: str | None) -> bool:
        return super().check_token(user, token) and self._age(token or "") <= self.lifetime

    def _age(self, token: str) -> int:
        issued = base36_to_int(token.partition("-")[0])
        return self._num_seconds(self._now()) - issued


#: For the person who just started Trackside, not for a mailbox.
first_login_tokens = LinkTokens("first_login", 30 * MINUTE)
#: For somebody who reads his mail tomorrow.
invitation_tokens = LinkTokens("invitation", 3 * DAY)
