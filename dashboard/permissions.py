"""Who may do what (DEC-53): three roles over Django's own permissions."""

from django.contrib.auth.models import AnonymousUser, User

VIEW, OPERATE, ADMINISTER = "view", "operate", "administer"
#: Beside the roles: what bodies and clients wrote, and of it what is redacted.
READ, REVEAL = "read", "reveal"

#: Any of these permissions gives the role.
PERMISSIONS = {
    VIEW: ("runs.view_run", "runs.change_run", "runs.change_queue"),
    OPERATE: ("runs.change_run",),
    ADMINISTER: ("runs.change_queue",),
    READ: ("runs.view_payload",),
    REVEAL: ("runs.reveal_payload",),
}
#: What a refused control says.
REASONS = {
    VIEW: "Your account may not see runs. Ask an administrator for the permission “Can view run”.",
    OPERATE: "You may look but not act: this needs the permission “Can change run”.",
    ADMINISTER: "This needs the permission “Can change queue”.",
    READ: "Hidden: your role may not see payloads, outputs, metadata, logs and error messages.",
    REVEAL: "This needs the permission “Can reveal what is redacted”.",
}

Person = User | AnonymousUser


def may(user: Person, role: str) -> bool:
    """Whether `user` has `role`; staff may always look."""
    if not user.is_active or user.is_anonymous:
        return False
    if role == VIEW and user.is_staff:
        return True
    return any(user.has_perm(permission) for permission in PERMISSIONS[role])


def refusal(user: Person, role: str) -> str:
    """Why `user` may not, or empty."""
    return "" if may(user, role) else REASONS[role]


def actor(user: Person) -> str:
    """How events and the audit log name `user`."""
    return f"user:{user.get_username()}"
