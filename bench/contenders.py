"""The proxies that are compared, the back end behind them and a relay that only copies: how they are started.

Each is set up as an expert would: one worker, connections to the back end kept, no access log, reuseport, the same
forwarding fields, TLS 1.3 with one P-256 certificate, HTTP/2 on the TLS port.
"""

import contextlib
import os
import pathlib
import shutil
import signal
import subprocess
import tempfile
import time

BACK = 18190
RELAY = 18197

START_SECONDS_MAX = 20

NGINX = """
worker_processes 1; daemon off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 18000; }}
http {{
  access_log off; keepalive_requests 100000000; client_max_body_size 0; keepalive_timeout 600s;
  client_body_temp_path {folder}/nginx-body; proxy_temp_path {folder}/nginx-proxy;
  fastcgi_temp_path {folder}/nginx-f; uwsgi_temp_path {folder}/nginx-u; scgi_temp_path {folder}/nginx-s;
  client_body_buffer_size 64k;
  upstream back {{ server 127.0.0.1:{back}; keepalive 256; keepalive_requests 100000000; }}
  ssl_certificate {folder}/cert.pem; ssl_certificate_key {folder}/key.pem; ssl_protocols TLSv1.2 TLSv1.3;
  server {{
    listen 127.0.0.1:{plain} reuseport backlog=4096 deferred;
    listen 127.0.0.1:{tls} ssl http2 reuseport backlog=4096 deferred;
    location / {{
      proxy_pass http://back; proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_set_header Host $host; proxy_set_header X-Forwarded-For $remote_addr;
      proxy_set_header X-Forwarded-Proto $scheme; proxy_set_header X-Forwarded-Host $host;
      proxy_set_header X-Real-IP $remote_addr;
    }}
  }}
}}
"""

HAPROXY = """
global
  nbthread 1
  maxconn 9900
  ssl-default-bind-options ssl-min-ver TLSv1.2
defaults
  mode http
  timeout connect 3s
  timeout client 600s
  timeout server 60s
  option http-keep-alive
  http-reuse always
frontend front
  bind 127.0.0.1:{plain} defer-accept backlog 4096
  bind 127.0.0.1:{tls} ssl crt {folder}/both.pem alpn h2,http/1.1 defer-accept backlog 4096
  http-request set-header X-Forwarded-For %[src]
  http-request set-header X-Forwarded-Proto %[ssl_fc,iif(https,http)]
  http-request set-header X-Forwarded-Host %[req.hdr(host)]
  http-request set-header X-Real-IP %[src]
  default_backend back
backend back
  server one 127.0.0.1:{back} pool-max-conn 256
"""

EVENKEEL = """
[cluster]
name = "bench"
[nodes.bench]
address = "127.0.0.1"
[proxy]
workers = 1
[listeners.public]
bind = ["127.0.0.1:{plain}"]
limits = {{ requests_per_connection = 0, body = 0 }}
timeouts = {{ keep_alive = "600s" }}
[listeners.secure]
bind = ["127.0.0.1:{tls}"]
limits = {{ requests_per_connection = 0, body = 0 }}
timeouts = {{ keep_alive = "600s" }}
http2 = true
tls = {{ certificates = [{{ chain = "{folder}/cert.pem", key = "{folder}/key.pem" }}] }}
[upstreams.back]
servers = [{{ address = "127.0.0.1:{back}" }}]
[[routes]]
path = "/"
upstream = "back"
"""


class Contender:
    """A proxy that runs."""

    def __init__(self, name, plain, tls, process, reload):
        self.name, self.plain, self.tls, self.process = name, plain, tls, process
        self.reload = reload

    def tree(self):
        """Its processes: the first one and all that descend from it."""
        return tree_of(self.process.pid)

    def cpu_seconds(self):
        """User and system time of the tree, from the scheduler's own account (no sampling)."""
        total = 0
        for process in self.tree():
            for task in pathlib.Path(f"/proc/{process}/task").glob("*/schedstat"):
                total += int(task.read_text().split()[0])
        return total / 1e9

    def anonymous_octets(self):
        """Memory of the tree that no file backs."""
        total = 0
        for process in self.tree():
            for line in pathlib.Path(f"/proc/{process}/smaps_rollup").read_text().splitlines():
                if line.startswith("Anonymous:"):
                    total += int(line.split()[1]) * 1024
        return total


def tree_of(first):
    """A process and all that descend from it."""
    parents = {}
    for entry in pathlib.Path("/proc").glob("[0-9]*"):
        try:
            stat = (entry / "stat").read_text()
        except OSError:
            continue
        parents[int(entry.name)] = int(stat.rpartition(")")[2].split()[1])
    found = [first]
    for process in found:
        found += [child for child, parent in parents.items() if parent == process]
    return found


def listening_on(port):
    """The sockets that listen on a port of IPv4, as links to open files name them."""
    rows = [line.split() for line in pathlib.Path("/proc/net/tcp").read_text().splitlines()[1:]]
    listening = "0A"
    return {f"socket:[{row[9]}]" for row in rows if row[3] == listening and int(row[1].rpartition(":")[2], 16) == port}


def open_files(process):
    """What a process has open; nothing when it has ended."""
    files = set()
    for link in pathlib.Path(f"/proc/{process}/fd").glob("*"):
        with contextlib.suppress(OSError):
            files.add(os.readlink(link))
    return files


class Stage:
    """The back end and the proxies, in a folder of their own; all of it ends with the stage."""

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
            process.wait(timeout=60)
        shutil.rmtree(self.folder, ignore_errors=True)

    def start(self, core, command):
        with open(self.folder / "output.log", "ab") as output:
            process = subprocess.Popen(
                ["taskset", "-c", str(core), *map(str, command)], stdout=output, stderr=output
            )
        self.processes.append(process)
        return process

    def write(self, name, text, **values):
        path = self.folder / name
        path.write_text(text.format(folder=self.folder, back=BACK, **values))
        return path

    def start_all(self):
        self.make_certificate()
        programs = pathlib.Path(self.options.evenkeel).parent
        back = self.start(self.options.load_core, [programs / "bench-back-end", BACK])
        contenders = [self.start_nginx(), self.start_haproxy(), self.start_evenkeel()]
        command = [programs / "bench-relay", RELAY, BACK]
        relay = Contender("relay", RELAY, None, self.start(self.options.proxy_core, command), None)
        self.wait_for(back, BACK)
        self.wait_for(relay.process, RELAY)
        for one in contenders:
            self.wait_for(one.process, one.plain)
            self.wait_for(one.process, one.tls)
        return contenders, relay

    def make_certificate(self):
        subprocess.run(
            "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 30 -subj /CN=bench"
            " -addext subjectAltName=DNS:bench,IP:127.0.0.1 -keyout key.pem -out cert.pem".split(),
            cwd=self.folder, check=True, capture_output=True,
        )
        both = (self.folder / "cert.pem").read_text() + (self.folder / "key.pem").read_text()
        (self.folder / "both.pem").write_text(both)

    def start_nginx(self):
        ports = {"plain": 18191, "tls": 18194}
        config = self.write("nginx.conf", NGINX, **ports)
        process = self.start(self.options.proxy_core, ["nginx", "-c", config])
        return Contender("nginx", **ports, process=process, reload=lambda: process.send_signal(signal.SIGHUP))

    def start_haproxy(self):
        ports = {"plain": 18193, "tls": 18196}
        config = self.write("haproxy.cfg", HAPROXY, **ports)
        process = self.start(self.options.proxy_core, ["haproxy", "-W", "-db", "-f", config])
        return Contender("haproxy", **ports, process=process, reload=lambda: process.send_signal(signal.SIGUSR2))

    def start_evenkeel(self):
        ports = {"plain": 18192, "tls": 18195}
        config = self.write("evenkeel.toml", EVENKEEL, **ports)
        program, run = self.options.evenkeel, self.folder / "run"
        command = [program, "run", "-c", config, "--node", "bench", "--run-dir", run]
        process = self.start(self.options.proxy_core, [*command, "--state-dir", self.folder / "state"])

        def reload():
            # A reload of the same file changes nothing: a timeout that nobody meets is changed.
            text = config.read_text()
            old, new = ('"600s"', '"601s"') if '"600s"' in text else ('"601s"', '"600s"')
            config.write_text(text.replace(old, new))
            subprocess.run([program, "reload", "--run-dir", run], check=True, capture_output=True)

        return Contender("evenkeel", **ports, process=process, reload=reload)

    def wait_for(self, process, port):
        """Waits until the process, or one that descends from it, listens on the port, and nobody else does."""
        name = process.args[3]
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            sockets = listening_on(port)
            ours = set().union(*map(open_files, tree_of(process.pid)))
            if process.poll() is not None:
                self.fail(f"{name} has ended with status {process.returncode}")
            if sockets and sockets <= ours:
                return
            if time.monotonic() > deadline:
                self.fail(f"port {port}: {name} does not listen, or not alone: {sockets or 'nobody does'}")
            time.sleep(0.1)

    def fail(self, why):
        raise SystemExit(f"{why}\n{(self.folder / 'output.log').read_text()}")
