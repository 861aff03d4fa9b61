"""The PROXY protocol and forwarding fields between Elbow, HAProxy, nginx and curl: who sends a header is
understood, who expects one is given it, and whose client is whose arrives at the other end.

All listen on 127.0.0.0/8, on ports that the system chose a moment before; clients are told apart by their
addresses there. Prints a line for each thing that holds, and ends with 1 if one does not."""

import json
import pathlib
import signal
import socket
import subprocess
import sys
import tempfile
import time

from checks import PROGRAM, free_ports

SOON = 20
NAMES = """admin in_proxy in_trusted to_nginx_v1 to_nginx_v2 to_haproxy_v1 to_haproxy_v2
nginx_echo nginx_expects nginx_stream nginx_http haproxy_expects haproxy_v1 haproxy_v2 haproxy_all""".split()
P = dict(zip(NAMES, free_ports(len(NAMES))))


def elbow_config(folder):
    listener = "[[load_balancer.listener]]\nport = {}\ndefault = {{ forward = \"{}\" }}\n"
    text = f"""ranges = "relaxed"
workers = 1
admin = {{ address = "127.0.0.1:{P['admin']}" }}
access_log = {{ path = "{folder}/access.log", format = "json" }}
[[load_balancer]]
name = "in"
nodes = [{{ address = "127.0.0.1" }}]
trusted_proxies = {{ from = ["127.0.0.1"] }}
"""
    text += listener.format(P["in_proxy"], "echo")
    text += 'proxy_protocol = { from = ["127.0.0.1"] }\n'
    text += listener.format(P["in_trusted"], "echo")
    text += '[[load_balancer]]\nname = "out"\nnodes = [{ address = "127.0.0.1" }]\n'
    groups = [("echo", "", P["nginx_echo"])]
    for peer in ["nginx", "haproxy"]:
        for version in ["v1", "v2"]:
            group = f"{peer}-{version}"
            text += listener.format(P[f"to_{peer}_{version}"], group)
            groups.append((group, f'proxy_protocol = "{version}"', P[f"{peer}_expects"]))
    for name, setting, port in groups:
        text += f"""[[target_group]]
name = "{name}"
{setting}
health_check = {{ interval = "500ms", timeout = "400ms" }}
targets = [{{ address = "127.0.0.1:{port}" }}]
"""
    return text


def nginx_config(folder):
    return f"""daemon off;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
pid {folder}/nginx.pid;
error_log {folder}/nginx.log;
worker_processes 1;
events {{ }}
stream {{
    server {{
        listen 127.0.0.1:{P['nginx_stream']};
        proxy_pass 127.0.0.1:{P['in_proxy']};
        proxy_protocol on;
    }}
}}
http {{
    access_log off;
    client_body_temp_path {folder}/a; proxy_temp_path {folder}/b; fastcgi_temp_path {folder}/c;
    uwsgi_temp_path {folder}/d; scgi_temp_path {folder}/e;
    server {{
        listen 127.0.0.1:{P['nginx_echo']};
        return 200 "$http_x_forwarded_for $http_x_forwarded_proto\\n";
    }}
    server {{
        listen 127.0.0.1:{P['nginx_expects']} proxy_protocol;
        return 200 "$proxy_protocol_addr $proxy_protocol_server_port\\n";
    }}
    server {{
        listen 127.0.0.1:{P['nginx_http']};
        location / {{
            proxy_pass http://127.0.0.1:{P['in_trusted']};
            proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
            proxy_set_header X-Forwarded-Proto https;
        }}
    }}
}}
"""


def haproxy_config(folder):
    elbow = f"server elbow 127.0.0.1:{P['in_proxy']} check inter 300"
    options = "proxy-v2-options crc32c,unique-id,authority"
    return f"""global
    stats socket {folder}/haproxy.sock
defaults
    timeout connect 5s
    timeout client 10s
    timeout server 10s
frontend expects
    mode http
    bind 127.0.0.1:{P['haproxy_expects']} accept-proxy
    http-request return status 200 content-type text/plain lf-string "%[src] %[dst_port]\\n"
listen v1
    mode tcp
    bind 127.0.0.1:{P['haproxy_v1']}
    {elbow} send-proxy
listen v2
    mode tcp
    bind 127.0.0.1:{P['haproxy_v2']}
    {elbow} send-proxy-v2
listen all
    mode tcp
    bind 127.0.0.1:{P['haproxy_all']}
    unique-id-format %pid-%rt
    {elbow} send-proxy-v2 {options}
"""


def curl(port, client, *options):
    """The answer's body, or curl's exit code."""
    command = ["curl", "-sS", "-m", "5", "--interface", client, *options, f"http://127.0.0.1:{port}/"]
    done = subprocess.run(command, capture_output=True, text=True)
    return done.stdout.strip() if done.returncode == 0 else done.returncode


def eventually(what, condition):
    """Waits for what may take a moment."""
    deadline = time.monotonic() + SOON
    while True:
        found = condition()
        if found or time.monotonic() > deadline:
            return check(what, bool(found), found)
        time.sleep(0.05)


failures = 0


def check(what, holds, found=""):
    global failures
    failures += not holds
    print(f"   {'ok    ' if holds else 'FAILED'} {what}" + ("" if holds else f": {found!r}"))


def answers(what, found, expected):
    check(what, found == expected, found)


def healthy():
    """Whether all targets pass their probes: each expects the header that Elbow sends."""
    body = curl_admin("/target-health")
    groups = json.loads(body)["target_groups"] if body else []
    states = [target["target_health"]["state"] for group in groups for target in group["targets"]]
    return len(states) >= 5 and all(state == "healthy" for state in states)


def curl_admin(path):
    done = subprocess.run(["curl", "-s", f"http://127.0.0.1:{P['admin']}{path}"], capture_output=True, text=True)
    return done.stdout


def haproxy_servers_up(folder):
    """Whether HAProxy's checks of Elbow pass, for they begin with LOCAL."""
    with socket.socket(socket.AF_UNIX) as stats:
        stats.connect(f"{folder}/haproxy.sock")
        stats.sendall(b"show stat\n")
        rows = b"".join(iter(lambda: stats.recv(65536), b"")).decode().splitlines()
    servers = [row.split(",") for row in rows if ",elbow," in row]
    return len(servers) == 3 and all(row[17] == "UP" for row in servers)


def experiments(folder):
    eventually("probes pass at targets that expect a header, v1 and v2, of nginx and HAProxy", healthy)
    eventually("HAProxy's checks pass, which say that their connections are its own", lambda: haproxy_servers_up(folder))

    port = P["in_proxy"]
    answers("curl --haproxy-protocol is understood", curl(port, "127.0.0.1", "--haproxy-protocol"), "127.0.0.1 http")
    found = curl(port, "127.0.0.1")
    check("who is trusted and sends none is cut off", found in (52, 56), found)  # an end or a reset
    answers("who is not trusted is a client", curl(port, "127.0.0.3"), "127.0.0.3 http")
    answers("and may claim nothing", curl(port, "127.0.0.3", "-o", "/dev/null", "-w", "%{http_code}", "--haproxy-protocol"), "400")

    for name, via in [
        ("HAProxy's send-proxy", "haproxy_v1"),
        ("HAProxy's send-proxy-v2", "haproxy_v2"),
        ("HAProxy's checksum, authority and unique id", "haproxy_all"),
        ("nginx's proxy_protocol", "nginx_stream"),
    ]:
        answers(f"{name} is understood", curl(P[via], "127.0.0.5"), "127.0.0.5 http")

    for peer in ["nginx", "haproxy"]:
        for version in ["v1", "v2"]:
            port = P[f"to_{peer}_{version}"]
            found = [curl(port, f"127.0.0.{last}") for last in (6, 7, 6)]
            expected = [f"127.0.0.{last} {port}" for last in (6, 7, 6)]
            answers(f"{peer} learns of each client by {version}", found, expected)

    found = curl(P["nginx_http"], "127.0.0.8")
    answers("the fields of a trusted nginx go on", found, "127.0.0.8, 127.0.0.1 https")
    log = pathlib.Path(folder, "access.log")
    lines = lambda: [json.loads(line) for line in log.read_text().splitlines()]
    eventually("and the access log shows its client", lambda: lines()[-1]["client_ip"] == "127.0.0.8")


def main():
    with tempfile.TemporaryDirectory() as folder:
        started = []
        try:
            for name, text, command in [
                ("nginx.conf", nginx_config(folder), ["/usr/sbin/nginx", "-p", folder, "-c"]),
                ("haproxy.cfg", haproxy_config(folder), ["/usr/sbin/haproxy", "-db", "-f"]),
                ("elbow.toml", elbow_config(folder), [PROGRAM, "run", "--config"]),
            ]:
                path = pathlib.Path(folder, name)
                path.write_text(text)
                out = open(f"{folder}/{name}.out", "w")
                started.append(subprocess.Popen([*command, str(path)], stdout=out, stderr=out))
            experiments(folder)
        finally:
            for process in started:
                process.send_signal(signal.SIGTERM)
            for process in started:
                try:
                    process.wait(10)
                except subprocess.TimeoutExpired:
                    process.kill()
            if failures:
                for out in pathlib.Path(folder).glob("*.out"):
                    print(f"--- {out.name}\n{out.read_text()[-2000:]}")
    print(f"{'FAILED' if failures else 'passed'}")
    sys.exit(bool(failures))


main()
