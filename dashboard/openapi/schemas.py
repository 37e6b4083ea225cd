"""Schemas of the shapes that are used, each once, under `components`."""

import types
from typing import Any, Literal, Union, get_args, get_origin

from pydantic import TypeAdapter

Mode = Literal["validation", "serialization"]
PREFIX = "#/components/schemas/"
#: How a place is marked until the schemas of all shapes are made together.
MARK = "x-shape"


class Schemas:
    """Collects shapes while the document is made, and fills their schemas in at the end."""

    def __init__(self) -> None:
        self._shapes: dict[tuple[str, Mode], TypeAdapter[Any]] = {}
        self._keys: dict[tuple[Any, Mode], str] = {}

    def reference(self, shape: Any, mode: Mode) -> dict[str, Any]:
        """A place for the schema of `shape` as it is read or as it is sent."""
        key = self._keys.setdefault((shape, mode), str(len(self._keys)))
        if (key, mode) not in self._shapes:
            self._shapes[key, mode] = TypeAdapter(shape)
        return {MARK: [key, mode]}

    def optional(self, shape: Any) -> tuple[Any, bool]:
        """`Shape | None` is a shape that may be left away: the shape, and whether it may not."""
        members = get_args(shape) if get_origin(shape) in {Union, types.UnionType} else (shape,)
        wanted = [member for member in members if member is not type(None)]
        return (wanted[0] if len(wanted) == 1 else shape), len(wanted) == len(members)

    def plain(self, schema: Any) -> Any:
        """Without the titles pydantic derives from names, and without defaults that are null."""
        if isinstance(schema, list):
            return [self.plain(one) for one in schema]
        if not isinstance(schema, dict):
            return schema
        return {
            name: self._named(value) if name in {"properties", "$defs"} else self.plain(value)
            for name, value in schema.items()
            if not (name == "title" and isinstance(value, str))
            and not (name == "default" and value is None)
        }

    def _named(self, members: dict[str, Any]) -> dict[str, Any]:
        return {name: self.plain(value) for name, value in members.items()}

    def resolved(self, document: dict[str, Any]) -> dict[str, Any]:
        """`document` with every place filled and the schemas under `components`."""
        inputs = [(key, mode, adapter) for (key, mode), adapter in self._shapes.items()]
        made, shared = TypeAdapter.json_schemas(inputs, ref_template=PREFIX + "{model}")
        schemas = self._named(dict(sorted(shared.get("$defs", {}).items())))
        filled = {key: self.plain(schema) for key, schema in made.items()}
        document = self._filled(document, filled)
        document["components"]["schemas"] = schemas
        return document

    def _filled(self, part: Any, made: dict[Any, Any]) -> Any:
        if isinstance(part, list):
            return [self._filled(one, made) for one in part]
        if not isinstance(part, dict):
            return part
        if MARK in part:
            key, mode = part[MARK]
            return made[key, mode]
        return {name: self._filled(value, made) for name, value in part.items()}
