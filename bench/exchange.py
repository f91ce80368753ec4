"""Single requests, for what is not about load: to see when a server answers, and what."""

import http.client
import json
import os
import socket
import time

from bench.processes import Failed, resident_bytes

# Short enough to tell milliseconds, long enough to leave the processor to the server that starts.
POLL_SECONDS = 0.0005


def free_port():
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


# An emulator takes memory for all that is reserved: a server that starts must not take the machine down.
MEMORY_SHARE = 0.4


def memory_bound():
    return os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") * MEMORY_SHARE


def connect_when_listening(process, port, seconds):
    """A connection to a server that is starting, as soon as it takes one; ends when the process has."""
    began = looked = time.monotonic()
    while (now := time.monotonic()) < began + seconds:
        if now > looked + 0.2:
            looked = now
            if resident_bytes(process.pid) > memory_bound():
                raise Failed(f"it had taken {MEMORY_SHARE:.0%} of the machine's memory after {now - began:.0f} s, and did not listen")
        connection = socket.socket()
        connection.settimeout(seconds)
        try:
            connection.connect(("127.0.0.1", port))
            return connection
        except OSError:
            connection.close()
        if ended := process.ended():
            raise Failed(ended)
        time.sleep(POLL_SECONDS)
    raise Failed(f"it did not listen within {seconds:g} s{process.last_words()}")


def ask(connection, case, port):
    """One request of a case on this connection: (status, body). Raises Failed when there is no answer."""
    asking = http.client.HTTPConnection("127.0.0.1", port)
    asking.sock = connection
    try:
        asking.request(case.method, case.target, body=case.body or None, headers=dict(case.headers))
        response = asking.getresponse()
        return response.status, response.read()
    except (OSError, http.client.HTTPException) as error:
        raise Failed(f"it did not answer: {error or type(error).__name__}") from None


def require_right(case, status, body):
    if status != 200 or case.answer not in body:
        raise Failed(f"it answered with {status} and {body[:80]!r}, where {case.answer!r} was due")


def get_json(port, path):
    """What an admin address tells; None when it tells nothing."""
    try:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
        connection.request("GET", path, headers={"accept": "application/json"})
        return json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError):
        return None
    finally:
        connection.close()


def metric_sums(port, *names):
    """The sums of these metrics over all their labels, by name; those that are not told are left out."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    try:
        connection.request("GET", "/metrics")
        text = connection.getresponse().read().decode()
    except (OSError, http.client.HTTPException):
        return {}
    finally:
        connection.close()
    return sum_metrics(text, names)


def sum_metrics(text, names):
    sums = {}
    for line in text.splitlines():
        name, _, value = line.rpartition(" ")
        name = name.partition("{")[0]
        if name in names:
            sums[name] = sums.get(name, 0.0) + float(value)
    return sums
