"""JSON Merge Patch (RFC 7396) on documents as text.

The libraries for it work on parsed values, whose numbers lose digits on the way; here every number
that is not replaced is written as it was read.
"""

from typing import Any

from runs import exact


def patched(document: str, patch: str) -> str:
    """The document with the patch applied: members are replaced, null removes one.

    Raises ValueError for text that is no JSON, and where an object has a key twice.
    """
    return exact.dumps(_merged(exact.loads(document), exact.loads(patch)))


def _merged(target: Any, patch: Any) -> Any:
    if not isinstance(patch, dict):
        return patch
    merged = dict(target) if isinstance(target, dict) else {}
    for name, value in patch.items():
        if value is None:
            merged.pop(name, None)
        else:
            merged[name] = _merged(merged.get(name), value)
    return merged
