"""What the guests called mirrors report of a request (tests/guests/mirror.h), read back."""


def read_report(body):
    """The items of mirror.h's report, as lists by kind, and the body after it."""
    items = []
    at = 0
    while True:
        end = body.index(b"\n", at)
        kind, size = body[at:end].split(b" ")
        value = body[end + 1 : end + 1 + int(size)]
        at = end + 2 + int(size)
        assert body[at - 1 : at] == b"\n"
        if kind == b"body":
            return items, body[at:]
        items.append((kind.decode(), value))


def report_of_component(items):
    seen = {"headers": {}}
    kinds = iter(items)
    for kind, value in kinds:
        if kind == "name":
            seen["headers"].setdefault(value.decode(), []).append(next(kinds)[1])
        else:
            seen.setdefault(kind, []).append(value)
    return seen


def report_of_wagi(items):
    seen = {"argument": [], "variables": {}}
    for kind, value in items:
        if kind == "argument":
            seen["argument"].append(value)
        else:
            name, _, text = value.partition(b"=")
            seen["variables"].setdefault(name.decode(), []).append(text)
    return seen
