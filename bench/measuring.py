"""Measures a command from outside: wall time, processor time and peak memory of its process."""

from __future__ import annotations

import os
import platform
import subprocess
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

_KIB_PER_GIB = 1 << 20


@dataclass(frozen=True, kw_only=True)
class Measured:
    """What one process took: seconds of wall and processor time, peak resident memory in GiB, and what it printed."""

    wall_s: float
    cpu_s: float
    peak_gib: float
    output: str


def measure(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Run a command to its end and return what its process took.

    Raises:
        RuntimeError: the command failed; the text holds the end of what it printed.
    """
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(
            command, env={**os.environ, **environment}, stdout=printed, stderr=subprocess.STDOUT, text=True
        )
        _, status, usage = os.wait4(process.pid, 0)
        wall_s = time.perf_counter() - started
        process.returncode = os.waitstatus_to_exitcode(status)
        printed.seek(0)
        output = printed.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {output[-2000:]}")
    return Measured(
        wall_s=wall_s,
        cpu_s=usage.ru_utime + usage.ru_stime,
        peak_gib=usage.ru_maxrss / _KIB_PER_GIB,
        output=output,
    )


def measure_tree(command: Sequence[str], environment: Mapping[str, str]) -> Measured:
    """Like ``measure``, for a command that starts processes of its own: figures are sums over all of them.

    They are read every tenth of a second, so that the last moments of a process may be missing.

    Raises:
        RuntimeError: the command failed; the text holds the end of what it printed.
    """
    cpu: dict[int, float] = {}
    peak = 0
    with tempfile.TemporaryFile(mode="w+", encoding="utf-8") as printed:
        started = time.perf_counter()
        process = subprocess.Popen(
            command,
            env={**os.environ, **environment},
            stdout=printed,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        while process.poll() is None:
            now = dict(_processes_of(process.pid))
            peak = max(peak, sum({space: size for _, space, size in now.values()}.values()))
            cpu |= {pid: seconds for pid, (seconds, _, _) in now.items()}
            time.sleep(0.1)
        wall_s = time.perf_counter() - started
        printed.seek(0)
        output = printed.read()
    if process.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {process.returncode}: {output[-2000:]}")
    return Measured(wall_s=wall_s, cpu_s=sum(cpu.values()), peak_gib=peak / (1 << 30), output=output)


def _processes_of(session: int) -> Iterator[tuple[int, tuple[float, str, int]]]:
    """Processor seconds, address space and resident bytes of each process of a session, by its id.

    The address space, told by its stack and its size, is that of the parent until a new process runs its own program:
    a JVM that starts one would count twice.
    """
    tick, page = os.sysconf("SC_CLK_TCK"), os.sysconf("SC_PAGE_SIZE")
    for number, fields in _processes():
        if int(fields[3]) == session:
            seconds = (int(fields[11]) + int(fields[12])) / tick
            yield number, (seconds, f"{fields[25]} {fields[20]}", int(fields[21]) * page)


def _processes() -> Iterator[tuple[int, list[str]]]:
    """What the kernel tells of each process of the machine: the fields of its stat after the name, by its id."""
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            yield int(folder.name), (folder / "stat").read_text(encoding="utf-8").rsplit(")", 1)[1].split()
        except OSError:
            continue  # it has just ended


def cpu_seconds(pid: int, *, with_children: bool = False) -> float:
    """Processor seconds of a process so far; with its children, also those that have ended and were waited for."""
    tick = os.sysconf("SC_CLK_TCK")
    seconds = 0.0
    for number, fields in _processes():
        user, system, ended_user, ended_system = (int(field) / tick for field in fields[11:15])
        if number == pid:
            seconds += user + system + (ended_user + ended_system if with_children else 0)
        elif with_children and int(fields[1]) == pid:
            seconds += user + system
    return seconds


def busy_seconds() -> float:
    """Processor seconds that all cores were busy since the machine was started, whoever kept them busy."""
    first = Path("/proc/stat").read_text(encoding="utf-8").partition("\n")[0].split()[1:9]
    idle = (3, 4)  # doing nothing, and waiting for a disk
    return sum(int(field) for number, field in enumerate(first) if number not in idle) / os.sysconf("SC_CLK_TCK")


def describe_machine(packages: Sequence[str]) -> dict[str, str]:
    """Return what the numbers depend on: processor, cores, memory, versions of Python and packages."""
    from importlib.metadata import version

    model = next(
        (
            line.split(":", 1)[1].strip()
            for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
            if line.startswith("model name")
        ),
        platform.processor(),
    )
    memory_gib = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / (1 << 30)
    return {
        "processor": model,
        "cores": str(len(os.sched_getaffinity(0))),
        "memory": f"{memory_gib:.0f} GiB",
        "system": f"{platform.system()} {platform.machine()}",
        "Python": platform.python_version(),
        **{name: version(name) for name in packages},
    }
