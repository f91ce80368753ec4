"""Validates JSON against a JSON Schema: the part of draft 2020-12 that the schemas in docs/ use, and no more. A keyword
that is not known here is an error, so that none is passed over."""

import json

ANNOTATIONS = {"$schema", "$defs", "title", "description"}
TYPES = {
    "object": dict,
    "array": list,
    "string": str,
    "boolean": bool,
    "null": type(None),
}


def is_type(value, name):
    if name == "integer":
        return isinstance(value, int) and not isinstance(value, bool)
    if name == "number":
        return isinstance(value, (int, float)) and not isinstance(value, bool)
    return isinstance(value, TYPES[name])


def is_equal(value, other):
    return type(value) is type(other) and value == other


def is_number(value):
    return is_type(value, "number")


class Schema:
    def __init__(self, path):
        self.root = json.loads(path.read_text(encoding="utf-8"))

    def problems(self, value):
        """What is wrong with a value: a list of lines, empty when it is valid."""
        return list(self._check(value, self.root, "$"))

    def _resolve(self, reference):
        assert reference.startswith("#/"), reference
        found = self.root
        for part in reference[2:].split("/"):
            found = found[part]
        return found

    def _check(self, value, schema, place):
        for keyword, wanted in schema.items():
            if keyword in ANNOTATIONS or keyword == "items" and not isinstance(value, list):
                continue
            check = getattr(self, "_" + keyword.lstrip("$"), None)
            assert check is not None, f"json_schema.py does not know the keyword {keyword!r}"
            yield from check(value, wanted, schema, place)

    def _ref(self, value, wanted, schema, place):
        yield from self._check(value, self._resolve(wanted), place)

    def _type(self, value, wanted, schema, place):
        names = wanted if isinstance(wanted, list) else [wanted]
        if not any(is_type(value, name) for name in names):
            yield f"{place}: {value!r} is no {' or '.join(names)}"

    def _const(self, value, wanted, schema, place):
        if not is_equal(value, wanted):
            yield f"{place}: {value!r} is not {wanted!r}"

    def _enum(self, value, wanted, schema, place):
        if not any(is_equal(value, one) for one in wanted):
            yield f"{place}: {value!r} is none of {wanted!r}"

    def _anyOf(self, value, wanted, schema, place):
        found = [list(self._check(value, one, place)) for one in wanted]
        if all(found):
            yield from min(found, key=len)

    def _minimum(self, value, wanted, schema, place):
        if is_number(value) and value < wanted:
            yield f"{place}: {value!r} is less than {wanted}"

    def _exclusiveMinimum(self, value, wanted, schema, place):
        if is_number(value) and value <= wanted:
            yield f"{place}: {value!r} is not more than {wanted}"

    def _minLength(self, value, wanted, schema, place):
        if isinstance(value, str) and len(value) < wanted:
            yield f"{place}: {value!r} is too short"

    def _maxItems(self, value, wanted, schema, place):
        if isinstance(value, list) and len(value) > wanted:
            yield f"{place}: {len(value)} items are too many"

    def _items(self, value, wanted, schema, place):
        for index, item in enumerate(value):
            yield from self._check(item, wanted, f"{place}[{index}]")

    def _minProperties(self, value, wanted, schema, place):
        if isinstance(value, dict) and len(value) < wanted:
            yield f"{place}: {len(value)} members are too few"

    def _required(self, value, wanted, schema, place):
        if isinstance(value, dict):
            for name in wanted:
                if name not in value:
                    yield f"{place}: {name} is missing"

    def _properties(self, value, wanted, schema, place):
        if isinstance(value, dict):
            for name, one in wanted.items():
                if name in value:
                    yield from self._check(value[name], one, f"{place}.{name}")

    def _additionalProperties(self, value, wanted, schema, place):
        if not isinstance(value, dict):
            return
        for name in value.keys() - schema.get("properties", {}).keys():
            if wanted is False:
                yield f"{place}: {name} is not in the schema"
            else:
                yield from self._check(value[name], wanted, f"{place}.{name}")
