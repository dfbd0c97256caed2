"""``optlab advise``: step sizes and schedules for a table of your own."""


def advise() -> int:
    """x."""
    return 0
