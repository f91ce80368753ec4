"""WebAssembly modules that are written byte by byte, where a test needs one that no compiler would make."""


def number(value):
    """An unsigned number as WebAssembly writes it (LEB128)."""
    encoded = b""
    while value > 127:
        encoded += bytes([value % 128 + 128])
        value //= 128
    return encoded + bytes([value])


def section(kind, *items):
    content = number(len(items)) + b"".join(items)
    return bytes([kind]) + number(len(content)) + content


def named(text):
    return number(len(text)) + text.encode()


def module_that_cannot_start():
    """A WAGI module whose start function traps."""
    body = b"\x00\x00\x0b"  # unreachable
    return b"\0asm\1\0\0\0" + b"".join(
        [
            section(1, b"\x60\x00\x00"),
            section(3, b"\x00"),
            section(5, b"\x00" + number(1)),
            section(7, named("memory") + b"\x02\x00", named("_start") + b"\x00\x00"),
            bytes([8, 1, 0]),
            section(10, number(len(body)) + body),
        ]
    )


def module_with_memory(pages, text):
    """A WAGI module that has so much memory from the beginning, and answers with a text."""
    answer = b"content-type: text/plain\n\n" + text.encode()
    vector = (16).to_bytes(4, "little") + len(answer).to_bytes(4, "little")
    fd_write = b"\x41\x01\x41\x00\x41\x01\x41\x08\x10\x00\x1a"  # fd_write(1, 0, 1, 8), and drop what it says
    body = b"\x00" + fd_write + b"\x0b"
    return b"\0asm\1\0\0\0" + b"".join(
        [
            section(1, b"\x60\x00\x00", b"\x60\x04\x7f\x7f\x7f\x7f\x01\x7f"),
            section(2, named("wasi_snapshot_preview1") + named("fd_write") + b"\x00\x01"),
            section(3, b"\x00"),
            section(5, b"\x00" + number(pages)),
            section(7, named("memory") + b"\x02\x00", named("_start") + b"\x00\x01"),
            section(10, number(len(body)) + body),
            section(
                11,
                b"\x00\x41\x00\x0b" + number(len(vector)) + vector,
                b"\x00\x41\x10\x0b" + number(len(answer)) + answer,
            ),
        ]
    )
