"""When items and choices are available: `available`, and the times of the menu in its time zone."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Final, NamedTuple, get_args
from zoneinfo import ZoneInfo

from voice.menus.menu import Day, Menu, Period, minutes_of

DAYS: Final[tuple[Day, ...]] = get_args(Day)
MINUTES_A_DAY: Final = 1440


class Hours(NamedTuple):
    """Opening hours, equal on several days; `begins` and `ends` in minutes since midnight of the day.

    `ends` is more than MINUTES_A_DAY where it is on the next day.
    """

    days: tuple[Day, ...]
    begins: int
    ends: int


def zone_of(menu: Menu) -> tzinfo:
    """Return the time zone of a menu."""
    return UTC if menu.timezone == "UTC" else ZoneInfo(menu.timezone)


def is_item_available(menu: Menu, item_id: str, at: datetime) -> bool:
    """Return whether an item may be ordered at a time; `at` has a time zone."""
    return menu.items[item_id].available and is_item_served(menu, item_id, at)


def is_choice_available(menu: Menu, group_id: str, choice_id: str, at: datetime) -> bool:
    """Return whether a choice may be ordered at a time; one that is an item only while the item may."""
    choice = menu.option_groups[group_id].choices[choice_id]
    return choice.available and (choice.item is None or is_item_available(menu, choice.item, at))


def is_item_served(menu: Menu, item_id: str, at: datetime) -> bool:
    """Return whether a time is within the times of an item, sold out or not."""
    if not menu.items[item_id].when:
        return True
    local = at.astimezone(zone_of(menu))
    minute = 60 * local.hour + local.minute
    today, yesterday = DAYS[local.weekday()], DAYS[local.weekday() - 1]
    for period in _periods(menu, item_id):
        hours = _hours(period)
        if today in period.days and hours.begins <= minute < hours.ends:
            return True
        if yesterday in period.days and minute + MINUTES_A_DAY < hours.ends:
            return True
    return False


def opening_hours(menu: Menu, item_id: str) -> list[Hours]:
    """Return the opening hours of an item in the menu's time zone; none if it is always served."""
    return [*dict.fromkeys([_hours(period) for period in _periods(menu, item_id)])]


def next_opening(menu: Menu, item_id: str, at: datetime) -> datetime | None:
    """Return when an item is served next, in the menu's time zone: `at` if it is now, None if it has no times within a week."""
    local = at.astimezone(zone_of(menu))
    if is_item_served(menu, item_id, at):
        return local
    midnight = local.replace(hour=0, minute=0, second=0, microsecond=0)
    for n_days in range(8):
        day = midnight + timedelta(days=n_days)
        begins = [hours.begins for hours in opening_hours(menu, item_id) if DAYS[day.weekday()] in hours.days]
        openings = [day.replace(hour=begin // 60, minute=begin % 60) for begin in sorted(begins)]
        later = [opening for opening in openings if opening > local]
        if later:
            return later[0]
    return None


def _periods(menu: Menu, item_id: str) -> Iterator[Period]:
    for name in menu.items[item_id].when:
        yield from menu.times[name]


def _hours(period: Period) -> Hours:
    begins, ends = minutes_of(period.begins), minutes_of(period.ends)
    return Hours(period.days, begins, ends if ends > begins else ends + MINUTES_A_DAY)
