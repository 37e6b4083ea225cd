"""One task whose argument says how its run goes."""

from typing import Any

from engine import task


@task(id="steered")
def steered(payload: dict[str, Any]) -> Any:
    if payload.get("do") == "fail":
        raise ValueError("told to fail")
    return payload
