# A11, A10: a build that wants to fetch hidden data, or to send away what it saw
# phase: build
# ends: passed - -
import socket
import sys

import honest

problems = []
for address in (("169.254.169.254", 80), ("172.17.0.1", 80), ("8.8.8.8", 53), ("192.168.0.1", 80)):
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(socket.AF_INET, kind) as one:
            one.settimeout(0.5)
            problems += honest.refused(f"{address}", lambda o=one, a=address: o.connect(a))
for name in ("pypi.org", "host.docker.internal", "example.org"):
    problems += honest.refused(name, lambda n=name: socket.getaddrinfo(n, 80))
if problems:
    print("NOT CONTAINED", problems)
    sys.exit(1)
