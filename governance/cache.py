"""The shared memory of several web processes, which nobody's request depends on.

It holds counts of the rate limits, spent answers of proof of work and drawn pages: all of it may be lost. A server that
does not answer is an empty memory, logged; a claim is never refused because a counter could not be read.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Any

from django.core.cache.backends.redis import RedisCache
from redis.exceptions import RedisError

log = logging.getLogger(__name__)


class ForgivingRedisCache(RedisCache):
    """Django's cache in Redis, whose failures read as nothing held and nothing taken."""

    def get(self, key: Any, default: Any = None, version: int | None = None) -> Any:
        """The value, or `default`."""
        return _forgiven(lambda: super(ForgivingRedisCache, self).get(key, default, version), default)

    def set(self, key: Any, value: Any, *rest: Any, **words: Any) -> None:
        """Keep it, where that is possible."""
        _forgiven(lambda: super(ForgivingRedisCache, self).set(key, value, *rest, **words), None)

    def add(self, key: Any, value: Any, *rest: Any, **words: Any) -> bool:
        """Whether it was new and is kept; a spent answer is not taken for a fresh one while nobody knows."""
        return bool(_forgiven(lambda: super(ForgivingRedisCache, self).add(key, value, *rest, **words), False))

    def delete(self, key: Any, version: int | None = None) -> bool:
        """Whether it was there and is gone."""
        return bool(_forgiven(lambda: super(ForgivingRedisCache, self).delete(key, version), False))


def _forgiven(do: Callable[[], Any], otherwise: Any) -> Any:
    try:
        return do()
    except RedisError as error:
        log.warning("The cache does not answer (%s); limits do not count until it does.", type(error).__name__)
        return otherwise
