"""Containers: what a launch costs over the bare process, fifty sessions in bulk; processes and Docker.

./scripts/bench containers [--launches N] [--sessions N] [--backend process|docker]
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from system.bulk_site import Site, build_images, definition, packed, tiny_perfusion


def median_of(times: int, work: Callable[[], object]) -> float:
    """Return the median seconds of some calls."""
    taken = []
    for _ in range(times):
        begun = time.perf_counter()
        work()
        taken.append(time.perf_counter() - begun)
    return statistics.median(taken)


def bare(source: Path, times: int) -> float:
    """Return the median seconds of ``lethe-command clean-header`` as a plain process."""
    program = [sys.executable, "-c", "import lethe.command; lethe.command.main()", "clean-header"]

    def run() -> None:
        with tempfile.TemporaryDirectory() as output:
            subprocess.run([*program, "--input", source, "--output", output], check=True, capture_output=True)

    return median_of(times, run)


def launched(site: Site, wrapper: int, accession: str, times: int) -> float:
    """Return the median seconds from a launch to the stored result, one launch at a time."""

    def run() -> None:
        path = f"/xapi/projects/{site.project}/wrappers/{wrapper}/root/scan/launch"
        body = {"scan": f"/archive/experiments/{accession}/scans/1"}
        number = site.server.rq("POST", path, json=body).json()["workflow-id"]
        if site.server.wait(number) != "Complete":
            raise RuntimeError("a launch did not end well")

    return median_of(times, run)


def in_bulk(site: Site, name: str, count: int, data: bytes) -> float:
    """Return the seconds of a bulk launch over some sessions."""
    for number in range(count):
        site.add_session(f"S{number}_CT", data)
    begun = time.perf_counter()
    done = site.call("bulk", name, "--project", site.project, "--output", "json")
    seconds = time.perf_counter() - begun
    if json.loads(done.out)["complete"] != count:
        raise RuntimeError("runs were lost")
    return seconds


def measure(backend: str, launches: int, sessions: int, floor: float, data: bytes) -> None:
    """Print the figures of one backend."""
    with tempfile.TemporaryDirectory() as folder:
        site = Site(Path(folder), backend)
        try:
            name = site.install(definition("clean-header"))
            accession = site.add_session("ONE_CT", data)
            offered = site.server.rq(
                "GET", f"/xapi/commands/available?project={site.project}&xsiType=xnat:ctScanData"
            ).json()
            wrapper = next(row["wrapper-id"] for row in offered if row["wrapper-name"] == name)
            one = launched(site, int(wrapper), accession, launches)
            print(
                f"{backend:8} one launch {one:6.2f} s, {one - floor:+.2f} s over the bare process", flush=True
            )
            bulk = in_bulk(site, name, sessions, data)
            print(f"{backend:8} {sessions} sessions {bulk:6.1f} s, {bulk / sessions:.2f} s each", flush=True)
        finally:
            site.stop()


def main() -> int:
    """Print what launches cost."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--launches", type=int, default=7, help="launches one after the other")
    parser.add_argument("--sessions", type=int, default=50, help="sessions in bulk")
    parser.add_argument("--backend", choices=("process", "docker"), action="append")
    chosen = parser.parse_args()
    backends = chosen.backend or ["process", "docker"]
    if "docker" in backends and build_images("clean-header").returncode:
        print("no Docker engine answers: only processes are measured")
        backends = [one for one in backends if one != "docker"]
    with tempfile.TemporaryDirectory() as folder:
        files = tiny_perfusion(Path(folder))
        floor = bare(files[0].parent, chosen.launches)
        print(f"bare     one run    {floor:6.2f} s (clean-header on {len(files)} objects)", flush=True)
        for backend in backends:
            measure(backend, chosen.launches, chosen.sessions, floor, packed(files))
    return 0
