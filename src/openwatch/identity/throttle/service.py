"""Count sign-in attempts before they are tried, so that parallel guesses cannot slip past."""

from __future__ import annotations

from dataclasses import dataclass

from sqlalchemy.ext.asyncio import AsyncConnection

from openwatch.db.engine import Database
from openwatch.identity import errors
from openwatch.identity.throttle import policy, store
from openwatch.identity.throttle.policy import Counter, Policy
from openwatch.kit.errors import OpenWatchError


@dataclass(frozen=True, slots=True)
class Attempt:
    """One sign-in that was let through and is counted as failed until ``succeed`` is called."""

    address_key: bytes
    user_key: bytes
    pair_key: bytes
    is_known: bool

    def counted(self) -> tuple[tuple[bytes, Policy], ...]:
        """Return the keys that this attempt counts under, in the order in which they are locked.

        Where somebody signed in before, only failures of that person at that place count.
        """
        if self.is_known:
            return ((self.pair_key, policy.PER_USER),)
        return ((self.address_key, policy.PER_ADDRESS), (self.user_key, policy.PER_USER))


async def reserve(db: Database, *, username: str, address: str | None) -> Attempt:
    """Let one sign-in through and count it as failed; raises ``auth.locked`` during a pause.

    An attempt during a pause is not counted, so a pause ends in time whoever keeps trying.
    Known and unknown user names are treated alike.
    """
    pair = policy.pair_key(username, address)
    async with db.transaction() as tx:
        await store.remove_old(tx, keep_for=policy.KEEP_FOR)
        attempt = Attempt(
            policy.address_key(address),
            policy.user_key(username),
            pair,
            is_known=await store.is_known(tx, pair),
        )
        counters = [(key, limit, await store.lock(tx, key)) for key, limit in attempt.counted()]
        now = await store.clock(tx)
        seconds = max(counter.seconds_left(now) for _, _, counter in counters)
        if seconds:
            raise OpenWatchError(errors.LOCKED, retry_after=seconds)
        for key, limit, counter in counters:
            await store.save(tx, key, counter.after_failure(limit, now))
    return attempt


async def take_back(db: Database, attempt: Attempt) -> None:
    """Undo the count of an attempt that was never tried."""
    async with db.transaction() as tx:
        for key, _ in attempt.counted():
            counter = await store.lock(tx, key)
            await store.save(tx, key, counter.without_last())


async def succeed(tx: AsyncConnection, attempt: Attempt) -> None:
    """Take the failure back, forget the failures of this user, remember the place."""
    if not attempt.is_known:
        # The address keeps its earlier failures: an own account must not buy new guesses.
        counter = await store.lock(tx, attempt.address_key)
        await store.save(tx, attempt.address_key, counter.without_last())
        await store.lock(tx, attempt.user_key)
        await store.save(tx, attempt.user_key, Counter())
    await store.mark_known(tx, attempt.pair_key, known_for=policy.KNOWN_FOR)
