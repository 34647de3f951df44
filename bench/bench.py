#!/usr/bin/env python3
"""Measures the proxy beside nginx and HAProxy, in one run, round by round in turn. See README.md."""

import argparse
import json
import pathlib
import resource
import statistics
import sys
import threading
import time

import loads
from contenders import Stage

# name: (the load of a round, the most that our ratio to nginx may be, whether the bare relay can serve it)
CPU_ROWS = {
    "1 KiB, keep-alive": (lambda o, c, f: loads.wrk(o, c, "/1k"), 0.75, True),
    "the same with a browser's 12 headers": (lambda o, c, f: loads.wrk(o, c, "/1k", headers=loads.BROWSER), 0.68, True),
    "connection per request": (lambda o, c, f: loads.wrk(o, c, "/1k", headers=["Connection: close"]), 0.75, False),
    "64 KiB bodies": (lambda o, c, f: loads.wrk(o, c, "/64k"), 0.80, True),
    "1 MiB bodies": (lambda o, c, f: loads.wrk(o, c, "/1m", connections=16), 1.00, True),
    "POST 16 KiB": (lambda o, c, f: loads.wrk(o, c, "/post", body=16384, folder=f), 0.68, True),
    "4 KiB, chunked": (lambda o, c, f: loads.wrk(o, c, "/chunked/4k"), 0.48, True),
    "TLS keep-alive": (lambda o, c, f: loads.wrk(o, c, "/1k", tls=True), 0.65, False),
    "full TLS handshakes": (lambda o, c, f: loads.wrk(o, c, "/1k", headers=["Connection: close"], tls=True), 0.55, False),
    "HTTP/2 over TLS in front": (lambda o, c, f: loads.h2load(o, c, "/1k"), 0.60, False),
}

# HAProxy reserves two descriptors for each connection: so many fit the usual hard limit of 20,000.
IDLE_CONNECTIONS = 9_000


class Rounds:
    """The figures of a row, round by round. Who failed a request in one of them has none."""

    def __init__(self, name, contenders):
        self.name = name
        self.figures = {one.name: [] for one in contenders}

    def add(self, one, served, figure):
        is_good = served.requests and not served.failed
        if not is_good:
            print(f"{one.name}: {self.name}: {served.failed} failed, {served.requests} answered", file=sys.stderr)
        self.figures[one.name].append(figure if is_good else None)

    def medians(self):
        """By the names of the contenders; `None` for one that has no figure."""
        return {one: None if None in figures else statistics.median(figures) for one, figures in self.figures.items()}


def ratio(figure, to):
    return "" if figure is None or to is None else f"{figure / to:.2f}"


def bold(text):
    return f"**{text}**" if text else ""


def microseconds(figure, digits=1):
    return "failed" if figure is None else f"{figure:.{digits}f} µs"


class Table:
    """Rows as they come: a line of Markdown each, and all of them for a program."""

    def __init__(self, columns):
        self.columns, self.rows = columns, {}
        print(f"\n| {' | '.join(columns)} |\n|{' --- |' * len(columns)}", flush=True)

    def add(self, name, cells, **figures):
        self.rows[name] = figures
        print(f"| {name} | {' | '.join(cells)} |", flush=True)


def cpu_figures(options, contenders, relay, folder):
    """CPU microseconds per request: the median of the rounds, and the ratio to nginx."""
    table = Table(["CPU per request", "nginx", "HAProxy", "ratio", "bare relay", "ratio", "Evenkeel", "ratio", "at most"])
    for name, (load, at_most, is_for_relay) in CPU_ROWS.items():
        if options.only not in name:
            continue
        all_of_them = [*contenders, relay] if is_for_relay else contenders
        rounds = Rounds(name, all_of_them)
        for number in range(options.rounds):
            # There and back: what changes with time meets all alike.
            for one in all_of_them if number % 2 == 0 else reversed(all_of_them):
                before = one.cpu_seconds()
                served = load(options, one, folder)
                rounds.add(one, served, (one.cpu_seconds() - before) * 1e6 / max(served.requests, 1))
        medians = rounds.medians()
        cells = [microseconds(medians["nginx"])]
        for one in ("haproxy", "relay", "evenkeel"):
            is_there = one in medians
            cells += [microseconds(medians[one]), ratio(medians[one], medians["nginx"])] if is_there else ["", ""]
        cells[-1] = bold(cells[-1])
        table.add(name, [*cells, f"{at_most:.2f}"], **medians, at_most=at_most)
    return table.rows


def memory_figures(options, contenders, _):
    """Anonymous memory for each idle keep-alive connection."""
    table = Table([f"{IDLE_CONNECTIONS} idle connections", "nginx", "HAProxy", "Evenkeel", "at most"])
    for name, tls, at_most in [("idle, plain", False, 1200), ("idle, TLS", True, 12 * 1024)]:
        if options.only not in name:
            continue
        octets = {}
        for one in contenders:
            before = one.anonymous_octets()
            opened = loads.open_idle(one, IDLE_CONNECTIONS, tls)
            octets[one.name] = (one.anonymous_octets() - before) / IDLE_CONNECTIONS
            for stream in opened:
                stream.close()
        cells = [f"{octets[one.name]:.0f} B" for one in contenders]
        table.add(name, [*cells, f"{at_most} B"], **octets, at_most=at_most)
    return table.rows


def latency_figures(options, contenders, folder):
    """The 99th percentile at 40 % of what the slowest can serve, the same rate for all."""
    name = "p99 at 40 % of saturation"
    if options.only not in name:
        return {}
    table = Table([name, "nginx", "HAProxy", "Evenkeel", "to the better"])
    rate = 0.4 * min(loads.wrk(options, one, "/1k").requests / options.seconds for one in contenders)
    rounds = Rounds(name, contenders)
    for _ in range(options.rounds):
        for one in contenders:
            figure, served = loads.p99_microseconds(options, one, rate, folder)
            rounds.add(one, served, figure)
    medians = rounds.medians()
    others = [medians[one] for one in ("nginx", "haproxy") if medians[one] is not None]
    cells = [microseconds(medians[one.name], 0) for one in contenders]
    to_the_better = ratio(medians["evenkeel"], min(others, default=None))
    table.add(f"{rate:.0f} requests a second", [*cells, bold(to_the_better)], **medians, rate=rate)
    return table.rows


def reload_figures(options, contenders, _):
    """Requests that fail while the configuration is loaded anew three times."""
    name = "3 reloads under load"
    if options.only not in name:
        return {}
    table = Table([name, "requests", "failed"])
    for one in contenders:
        served = []
        seconds = 8
        load = threading.Thread(target=lambda: served.append(loads.wrk(options, one, "/1k", seconds=seconds)))
        load.start()
        for _ in range(3):
            time.sleep(seconds / 4)
            one.reload()
        load.join()
        table.add(one.name, [str(served[0].requests), str(served[0].failed)], **served[0]._asdict())
    return table.rows


def main():
    parser = argparse.ArgumentParser(description="CPU, memory and latency beside nginx and HAProxy")
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--evenkeel", default=here.parent / "target/release/evenkeel")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of a round")
    parser.add_argument("--only", default="", help="part of the name of the rows to measure")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file too")
    options = parser.parse_args()
    # For the idle connections; inherited by all that is started.
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    figures = {}
    with Stage(options) as stage:
        contenders, relay = stage.start_all()
        figures |= cpu_figures(options, contenders, relay, stage.folder)
        for part in (memory_figures, latency_figures, reload_figures):
            figures |= part(options, contenders, stage.folder)
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")
    failed = [name for name, row in figures.items() if None in row.values()]
    if failed:
        sys.exit(f"requests failed: {'; '.join(failed)}")


if __name__ == "__main__":
    main()
