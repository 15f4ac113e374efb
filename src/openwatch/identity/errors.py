"""Errors of signing in, of first run and of permissions."""

from __future__ import annotations

from openwatch.kit.errors import register

REQUIRED = register(
    "auth.required",
    status=401,
    message="You are not signed in, or your session has ended.",
    fix="Sign in, then try again.",
)
INVALID_CREDENTIALS = register(
    "auth.invalid_credentials",
    status=401,
    message="The user name or the password is wrong.",
    fix="Check both and try again.",
)
LOCKED = register(
    "auth.locked",
    status=429,
    message="Too many sign-ins failed, so signing in is paused for {retry_after} s.",
    fix="Wait {retry_after} s, then try again. The pause ends by itself.",
    retryable=True,
)
BUSY = register(
    "auth.busy",
    status=503,
    message="Too many people are signing in at this moment.",
    fix="Try again in {retry_after} s.",
    retryable=True,
)
FORBIDDEN = register(
    "auth.forbidden",
    status=403,
    message="Your account does not have the permission {permission}, which this needs.",
    fix="Ask an administrator for the permission {permission}.",
)
CSRF = register(
    "auth.csrf",
    status=403,
    message="The request did not prove that it comes from an OpenWatch page: {reason}.",
    fix="Reload the page. A script sends the csrf_token of GET /session as X-CSRF-Token.",
)
SETUP_TOKEN_INVALID = register(
    "setup.token_invalid",
    status=403,
    message="This first-run link is not valid.",
    fix="Open the newest link that `openwatch up` printed on the server.",
)
SETUP_DONE = register(
    "setup.done",
    status=409,
    message="The first administrator already exists.",
    fix="Sign in with that account.",
)
USERNAME_INVALID = register(
    "user.username_invalid",
    status=422,
    message="A user name has 1 to 64 of the characters a-z, 0-9, dot, dash, underscore and @, "
    "and begins with a letter or a digit.",
    fix="Choose another user name.",
)
DISPLAY_NAME_INVALID = register(
    "user.display_name_invalid",
    status=422,
    message="A display name has 1 to 128 characters and no control characters.",
    fix="Shorten the name, or take out the characters that cannot be seen.",
)
PASSWORD_TOO_SHORT = register(
    "password.too_short",
    status=422,
    message="The password has {length} characters; it needs at least {minimum}, because length "
    "is what makes guessing hopeless.",
    fix="Use a sentence or several unrelated words; no digits or symbols are demanded.",
)
PASSWORD_TOO_LONG = register(
    "password.too_long",
    status=422,
    message="The password has more than {maximum} bytes.",
    fix="Use a shorter one.",
)
PASSWORD_IS_USERNAME = register(
    "password.is_username",
    status=422,
    message="The password is the user name, which is the first thing that is tried.",
    fix="Choose a password that has nothing to do with the user name.",
)
PASSWORD_UNREADABLE = register(
    "password.unreadable",
    status=422,
    message="The password holds something that is not a character.",
    fix="Type the password again instead of pasting it.",
)
KEY_INVALID = register(
    "request.idempotency_key_invalid",
    status=400,
    message="The Idempotency-Key header has 1 to 255 printable ASCII characters.",
    fix="Send a new random key, for example a UUID.",
)
KEY_REUSED = register(
    "request.idempotency_reused",
    status=409,
    message="This Idempotency-Key was used before for another request.",
    fix="Send a new key for a new request.",
)
IN_PROGRESS = register(
    "request.in_progress",
    status=409,
    message="The same request is being carried out at this moment.",
    fix="Send it again in {retry_after} s to get its answer.",
    retryable=True,
)
