from django.contrib.auth.models import User
from django.contrib.auth.tokens import PasswordResetTokenGenerator
from django.utils.http import base36_to_int

#: A login link is for the person who just started Trackside, not for a mailbox.
LIFETIME_SECONDS = 30 * 60


class FirstLoginTokens(PasswordResetTokenGenerator):
    """Signed login tokens that need no table: a login or a password change spends them."""

    key_salt = "dashboard.accounts.first_login"

    def check_token(self, user: User | None, token: str | None) -> bool:
        return super().check_token(user, token) and self._age(token or "") <= LIFETIME_SECONDS

    def _age(self, token: str) -> int:
        issued = base36_to_int(token.partition("-")[0])
        return self._num_seconds(self._now()) - issued


first_login_tokens = FirstLoginTokens()
