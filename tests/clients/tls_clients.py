"""testssl.sh at a listener with the default policy: what an auditor would find."""

import csv
import subprocess

from checks import Checks, free_ports
from elbow import HOST, Elbow

# What it finds, and what is expected of each.
EXPECTED = {
    "SSLv2": "not offered",
    "SSLv3": "not offered",
    "TLS1": "not offered",
    "TLS1_1": "not offered",
    "TLS1_2": "offered",
    "TLS1_3": "offered with final",
    "ALPN_HTTP2": "h2",
    "cipherlist_NULL": "not offered",
    "cipherlist_aNULL": "not offered",
    "cipherlist_EXPORT": "not offered",
    "cipherlist_LOW": "not offered",
    "cipherlist_3DES_IDEA": "not offered",
    "cipherlist_AVERAGE": "not offered",
    "cipherlist_STRONG": "offered",
    "PFS": "offered",
    "secure_renego": "supported",
    "secure_client_renego": "not vulnerable",
    "heartbleed": "not vulnerable",
    "CCS": "not vulnerable",
    "ROBOT": "not vulnerable",
    "CRIME_TLS": "not vulnerable",
    "SWEET32": "not vulnerable",
    "LUCKY13": "not vulnerable",
    "fallback_SCSV": "no protocol below TLS 1.2 offered",
}
BAD = {"MEDIUM", "HIGH", "CRITICAL", "FATAL"}
# An authority of one's own, without lists of revocations, is what such a listener has.
OWN_AUTHORITY = {"cert_chain_of_trust", "cert_revocation", "cert_crlDistributionPoints", "cert_ocspURL"}


def main() -> None:
    checks = Checks()
    [port] = free_ports(1)
    with Elbow("tls") as elbow:
        elbow.configure(f"""
[[load_balancer]]
name = "scanned"
nodes = [{{ address = "127.0.0.1" }}]
[[load_balancer.listener]]
port = {port}
protocol = "HTTPS"
TLS
default = {{ fixed_response = {{ status = 200, body = "hello" }} }}
""")
        elbow.start()
        report = elbow.folder / "testssl.csv"
        # -p versions, -s ciphers, -f forward secrecy, -S the certificate, -U vulnerabilities.
        command = ["testssl", "--quiet", "--color", "0", "--fast", "--ip", "127.0.0.1", "--csvfile", str(report)]
        command += ["--nodns", "none", "-p", "-s", "-f", "-S", "-U", "--add-ca", str(elbow.authority)]
        with (elbow.folder / "testssl.log").open("w") as log:
            subprocess.run([*command, f"{HOST}:{port}"], stdout=log, stderr=log, stdin=subprocess.DEVNULL, timeout=200)
        with report.open() as file:
            found = {row["id"]: row for row in csv.DictReader(file)}
        for name, words in EXPECTED.items():
            finding = found.get(name, {}).get("finding", "nothing")
            checks.check(f"{name}: {words}", finding.removeprefix("likely ").startswith(words), finding)
        bad = {name: row["finding"] for name, row in found.items() if row["severity"] in BAD and name not in OWN_AUTHORITY}
        checks.equal("nothing else is found to be weak", bad, {})
    checks.end()


if __name__ == "__main__":
    main()
