"""A wall clock that shows another day, and an hour more each time one looks."""

from __future__ import annotations

import datetime
import time
from typing import Any

_real_time = time.time
_looks = 0


def _now() -> float:
    global _looks
    _looks += 1
    return _real_time() + 1e7 + 3600.0 * _looks


class _Day(type):
    """Lets dates made by the real class, as C code does, count as instances."""

    def __instancecheck__(cls, instance: Any) -> bool:
        return isinstance(instance, cls.__mro__[1])


class _DateTime(datetime.datetime, metaclass=_Day):
    @classmethod
    def now(cls, tz: datetime.tzinfo | None = None) -> Any:
        return cls.fromtimestamp(_now(), tz)

    @classmethod
    def utcnow(cls) -> Any:
        return cls.fromtimestamp(_now(), datetime.UTC).replace(tzinfo=None)

    @classmethod
    def today(cls) -> Any:
        return cls.now()


class _Date(datetime.date, metaclass=_Day):
    @classmethod
    def today(cls) -> Any:
        return cls.fromtimestamp(_now())


def advance_clock() -> None:
    """Put the other clock into ``time`` and ``datetime`` of this process, for good.

    ``time.monotonic`` and ``time.perf_counter`` stay: time-outs of pipes and event loops live by them.
    """
    real_localtime, real_gmtime, real_ctime = time.localtime, time.gmtime, time.ctime
    time.time = _now
    time.time_ns = lambda: int(_now() * 1e9)
    time.localtime = lambda seconds=None: real_localtime(_now() if seconds is None else seconds)
    time.gmtime = lambda seconds=None: real_gmtime(_now() if seconds is None else seconds)
    time.ctime = lambda seconds=None: real_ctime(_now() if seconds is None else seconds)
    datetime.datetime = _DateTime  # type: ignore[misc]
    datetime.date = _Date  # type: ignore[misc]
