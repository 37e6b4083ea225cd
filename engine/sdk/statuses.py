"""Ranges of HTTP statuses, as "5xx", "500-599", "429" or "all"."""


def bounds(part: str) -> tuple[int, ...]:
    """Lowest and highest status of a part, as of "5xx" or "500-599"; empty when it is none."""
    low, _, high = part.partition("-") if "-" in part else (part, "", part)
    low, high = low.replace("x", "0"), high.replace("x", "9")
    if len(low) == len(high) == 3 and low.isdecimal() and high.isdecimal():
        least, most = int(low), int(high)
        return (least, most) if 100 <= least <= most < 600 else ()
    return ()


def covers(part: str, status: int) -> bool:
    if part == "all":
        return True
    low, high = bounds(part)
    return low <= status <= high
