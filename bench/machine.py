"""What a result has to be read with: the machine, the system, what was measured and with which programs."""

import os
import platform
import re
import subprocess
from pathlib import Path


def first_line(*command):
    """What a command says first, or None."""
    try:
        done = subprocess.run([str(word) for word in command], capture_output=True, text=True, timeout=30, check=False)
    except (OSError, subprocess.TimeoutExpired):
        return None
    lines = (done.stdout + done.stderr).splitlines()
    return lines[0].strip() if lines else None


def processor_model():
    try:
        text = Path("/proc/cpuinfo").read_text()
    except OSError:
        return None
    found = re.search(r"^(?:model name|Model|cpu model|uarch)\s*:\s*(.+)$", text, re.M)
    return found.group(1).strip() if found else None


def system_name():
    try:
        return platform.freedesktop_os_release().get("PRETTY_NAME")
    except OSError:
        return None


def pressure():
    """How busy the machine is without us: the load averages of the last 1, 5 and 15 minutes."""
    return [round(value, 2) for value in os.getloadavg()]


def facts():
    memory = re.search(r"^MemTotal:\s+(\d+) kB", Path("/proc/meminfo").read_text(), re.M)
    hypervisor = re.search(r"^flags\s*:.*\bhypervisor\b", Path("/proc/cpuinfo").read_text(), re.M)
    return {
        "processors": len(os.sched_getaffinity(0)),
        "model": processor_model(),
        "virtual": hypervisor is not None,
        "memory_bytes": int(memory.group(1)) * 1024,
        "architecture": platform.machine(),
        "kernel": platform.release(),
        "system": system_name(),
        "overcommit_memory": int(Path("/proc/sys/vm/overcommit_memory").read_text()),
        "load_before": pressure(),
    }


def commit(root):
    """The commit that is measured, and whether the checkout has changes; None outside of one."""
    name = first_line("git", "-C", root, "rev-parse", "HEAD")
    if name is None or not re.fullmatch(r"[0-9a-f]{40,64}", name):
        return None
    changes = subprocess.run(
        ["git", "-C", str(root), "status", "--porcelain", "--untracked-files=no"], capture_output=True, check=False
    )
    return {"commit": name, "changed": bool(changes.stdout.strip())}
