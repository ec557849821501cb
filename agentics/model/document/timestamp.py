"""RFC 3339 timestamps as chrono reads them: also with a space for `T`, and U+2212 as the sign of the offset."""

from __future__ import annotations

import re

RFC3339 = re.compile(
    r"(\d{4})-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])[Tt ]([01]\d|2[0-3]):([0-5]\d):([0-5]\d|60)(?:\.(\d+))?"
    "(?:[Zz]|([+\u2212-])([01]\\d|2[0-3]):([0-5]\\d))",
    re.ASCII,
)
_MONTHS = (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)


def instant(text: str) -> tuple[int, int] | None:
    """The moment, to be compared with others: seconds of UTC, and nanoseconds. None if it is no timestamp.

    Digits beyond nanoseconds are dropped. A leap second is the second before it with 10^9 nanoseconds or more.
    """
    found = RFC3339.fullmatch(text)
    if found is None:
        return None
    year, month, day, hour, minute, second = map(int, found.group(1, 2, 3, 4, 5, 6))
    if day > _MONTHS[month - 1] + (month == 2 and _is_leap(year)):  # noqa: PLR2004  February
        return None
    fraction, sign, hours, minutes = found.group(7, 8, 9, 10)
    offset = 0 if sign is None else (int(hours) * 60 + int(minutes)) * (1 if sign == "+" else -1)
    nanoseconds = int((fraction or "")[:9].ljust(9, "0"))
    if second == 60:  # noqa: PLR2004  a leap second
        second, nanoseconds = 59, nanoseconds + 10**9
    return ((_days(year, month, day) * 24 + hour) * 60 + minute - offset) * 60 + second, nanoseconds


def _is_leap(year: int) -> bool:
    return year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)


def _days(year: int, month: int, day: int) -> int:
    """Days since the first of March of year 0. Years begin in March here, so that the leap day is the last."""
    since_march = (month + 9) % 12
    year -= since_march // 10
    return 365 * year + year // 4 - year // 100 + year // 400 + (since_march * 306 + 5) // 10 + day - 1
