#!/usr/bin/env python3
"""Measures the proxy beside nginx: CPU time per request, in one run, round by round in turn.

Needs Linux, two cores, nginx and wrk. Both proxies run on one core with one worker each, the load and
the back end (an nginx of its own) on another. What is counted is the user and system time of the whole
process tree of a proxy, so that nothing hides in a neighbour. See README.md for the options.
"""

import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

BACK, NGINX, EVENKEEL = 18190, 18191, 18192

BROWSER = [
    "User-Agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
    "Accept: text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "Accept-Language: en-US,en;q=0.5",
    "Accept-Encoding: gzip, deflate, br",
    "Referer: http://www.example.org/some/page",
    "Cookie: session=0123456789abcdef0123456789abcdef; theme=dark",
    "Upgrade-Insecure-Requests: 1",
    "Sec-Fetch-Dest: document",
    "Sec-Fetch-Mode: navigate",
    "Sec-Fetch-Site: same-origin",
    "Cache-Control: max-age=0",
    "Connection: keep-alive",
]

# name: (path, connections, headers, octets of a request body, the most that the ratio may be)
WORKLOADS = {
    "1 KiB, keep-alive": ("/1k", 64, [], 0, 0.75),
    "1 KiB, a browser's 12 headers": ("/1k", 64, BROWSER, 0, 0.68),
    "1 KiB, connection per request": ("/1k", 64, ["Connection: close"], 0, 0.75),
    "64 KiB": ("/64k", 64, [], 0, 0.80),
    "1 MiB": ("/1m", 16, [], 0, 1.00),
    "POST 16 KiB": ("/post", 64, [], 16 * 1024, 0.68),
    "4 KiB, chunked": ("/chunked/4k", 64, [], 0, 0.48),
}

NGINX_COMMON = """
worker_processes 1; daemon off; pid {folder}/{name}.pid; error_log {folder}/{name}.log;
events {{ worker_connections 20000; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 0;
  client_body_temp_path {folder}/{name}-body; proxy_temp_path {folder}/{name}-proxy;
  fastcgi_temp_path {folder}/{name}-f; uwsgi_temp_path {folder}/{name}-u; scgi_temp_path {folder}/{name}-s;
  {body}
}}
"""

BACK_END = """
  keepalive_timeout 600s; client_body_buffer_size 64k;
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096; root {folder}/files;
    location /post {{ return 200 "taken"; }}
    location /chunked/ {{ alias {folder}/files/; ssi on; ssi_types *; }}
  }}
"""

RIVAL = """
  client_body_buffer_size 64k;
  upstream back {{ server 127.0.0.1:{back}; keepalive 256; keepalive_requests 100000000; }}
  server {{
    listen 127.0.0.1:{port} reuseport backlog=4096{deferred};
    location / {{
      proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Real-IP $remote_addr;
    }}
  }}
"""

OURS = """
[cluster]
name = "bench"
[nodes.bench]
address = "127.0.0.1"
[proxy]
workers = 1
[listeners.public]
bind = ["127.0.0.1:{port}"]
limits = {{ requests_per_connection = 0 }}
[upstreams.back]
servers = [{{ address = "127.0.0.1:{back}" }}]
[[routes]]
listener = "public"
path = "/"
upstream = "back"
"""


class Bench:
    def __init__(self, options):
        self.options = options
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="evenkeel-bench-"))
        self.folder.chmod(0o755)
        self.processes = []

    def __enter__(self):
        return self

    def __exit__(self, *_):
        for process in reversed(self.processes):
            process.terminate()
        for process in self.processes:
            process.wait(timeout=30)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, core, command):
        with open(self.folder / "output.log", "ab") as output:
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *command], stdout=output, stderr=output
            )
        self.processes.append(process)
        return process.pid

    def start_nginx(self, core, name, body):
        path = self.folder / f"{name}.conf"
        path.write_text(NGINX_COMMON.format(folder=self.folder, name=name, body=body))
        return self.start(core, ["nginx", "-c", str(path)])

    def start_all(self):
        files = self.folder / "files"
        files.mkdir()
        for name, size in [("1k", 1024), ("4k", 4096), ("64k", 65536), ("1m", 1048576)]:
            (files / name).write_bytes(b"x" * size)
        back_end = BACK_END.format(port=BACK, folder=self.folder)
        self.start_nginx(self.options.load_core, "back", back_end)
        deferred = " deferred" if self.options.deferred else ""
        rival = RIVAL.format(port=NGINX, back=BACK, deferred=deferred)
        nginx = self.start_nginx(self.options.proxy_core, "rival", rival)
        config = self.folder / "evenkeel.toml"
        config.write_text(OURS.format(port=EVENKEEL, back=BACK))
        command = [self.options.evenkeel, "run", "-c", config, "--node", "bench"]
        command += ["--run-dir", self.folder / "run", "--state-dir", self.folder / "state"]
        ours = self.start(self.options.proxy_core, [str(word) for word in command])
        for port in (BACK, NGINX, EVENKEEL):
            self.wait_for(port)
        return {"nginx": (NGINX, nginx), "evenkeel": (EVENKEEL, ours)}

    def wait_for(self, port):
        for _ in range(100):
            if subprocess.run(
                ["wrk", "-t1", "-c1", "-d1s", f"http://127.0.0.1:{port}/1k"],
                capture_output=True, check=False,
            ).returncode == 0:
                return
            time.sleep(0.1)
        raise SystemExit(f"nobody listens on port {port}: {(self.folder / 'output.log').read_text()}")

    def load(self, port, workload):
        """Requests served in one round; any that failed ends the measurement."""
        path, connections, headers, body, _ = workload
        command = ["taskset", "-c", str(self.options.load_core), "wrk", "-t1"]
        command += [f"-c{connections}", f"-d{self.options.seconds}s"]
        for header in headers:
            command += ["-H", header]
        if body:
            script = self.folder / "post.lua"
            script.write_text(
                f'wrk.method = "POST"\nwrk.body = string.rep("x", {body})\n'
            )
            command += ["-s", str(script)]
        output = subprocess.check_output([*command, f"http://127.0.0.1:{port}{path}"], text=True)
        trouble = re.search(r"(Non-2xx.*|Socket errors.*)", output)
        if trouble:
            print(f"port {port}: {trouble.group(1)}", file=sys.stderr)
        return int(re.search(r"(\d+) requests in", output).group(1))


def tree(root):
    """A process and all that descend from it."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [root]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def cpu_seconds(root):
    """User and system time of a process tree, from the scheduler's own account (no sampling)."""
    total = 0
    for process in tree(root):
        for task in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
            total += int(task.read_text().split()[0])
    return total / 1e9


def measure(bench, proxies, workload):
    """The median of CPU microseconds per request, by proxy."""
    rounds = {name: [] for name in proxies}
    for _ in range(bench.options.rounds):
        for name, (port, root) in proxies.items():
            before = cpu_seconds(root)
            requests = bench.load(port, workload)
            rounds[name].append((cpu_seconds(root) - before) * 1e6 / max(requests, 1))
    return {name: statistics.median(values) for name, values in rounds.items()}


def main():
    parser = argparse.ArgumentParser(description="CPU time per request beside nginx")
    here = pathlib.Path(__file__).resolve().parent
    parser.add_argument("--evenkeel", default=here.parent / "target/release/evenkeel")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=int, default=2, help="length of a round")
    parser.add_argument("--only", default="", help="part of the name of the workloads to run")
    parser.add_argument("--proxy-core", type=int, default=0)
    parser.add_argument("--load-core", type=int, default=1)
    parser.add_argument("--deferred", action="store_true", help="nginx listens with deferred")
    parser.add_argument("--json", type=pathlib.Path, help="write the figures to this file too")
    options = parser.parse_args()
    figures = {}
    with Bench(options) as bench:
        proxies = bench.start_all()
        print("CPU µs per request | nginx | evenkeel | ratio | at most\n--- | --- | --- | --- | ---")
        for name, workload in WORKLOADS.items():
            if options.only not in name:
                continue
            medians = measure(bench, proxies, workload)
            ratio = medians["evenkeel"] / medians["nginx"]
            figures[name] = {**medians, "ratio": ratio, "at_most": workload[4]}
            print(
                f"{name} | {medians['nginx']:.1f} | {medians['evenkeel']:.1f} | {ratio:.2f} | "
                f"{workload[4]:.2f}",
                flush=True,
            )
    if options.json:
        options.json.write_text(json.dumps(figures, indent=2) + "\n")


if __name__ == "__main__":
    main()
