# A10, A9: every way out: DNS, the metadata service, the engine's gateway, IPv6, broadcast, raw packets
# ends: passed - -
import socket

import honest

PLACES = [
    (socket.AF_INET, ("169.254.169.254", 80)),
    (socket.AF_INET, ("172.17.0.1", 22)),
    (socket.AF_INET, ("172.17.0.1", 2375)),
    (socket.AF_INET, ("10.0.0.1", 80)),
    (socket.AF_INET, ("192.168.0.1", 80)),
    (socket.AF_INET, ("8.8.8.8", 53)),
    (socket.AF_INET6, ("2001:4860:4860::8888", 53)),
    (socket.AF_INET6, ("fd00:ec2::254", 80)),
    (socket.AF_INET6, ("ff02::1", 9)),
]
away = [index for index, name in socket.if_nameindex() if name != "lo"]
PLACES += [(socket.AF_INET6, ("fe80::1", 80, 0, index)) for index in away or [2]]
problems = []
for family, address in PLACES:
    for kind in (socket.SOCK_STREAM, socket.SOCK_DGRAM):
        with socket.socket(family, kind) as one:
            one.settimeout(0.5)
            one.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            problems += honest.refused(f"{address} {kind}", lambda o=one, a=address: o.connect(a))
for name in ("host.docker.internal", "gateway.docker.internal", "metadata.google.internal", "example.org"):
    problems += honest.refused(name, lambda n=name: socket.getaddrinfo(n, 80))
for family, kind in ((socket.AF_PACKET, socket.SOCK_RAW), (socket.AF_INET, socket.SOCK_RAW)):
    problems += honest.refused(f"raw {family}", lambda f=family, k=kind: socket.socket(f, k, 1))
with open("/proc/net/route") as table:
    problems += table.read().splitlines()[1:]
lines = open("/proc/net/dev").read().splitlines()[2:]
carried = [line.split(":")[0].strip() for line in lines if line.split(":")[1].split()[8] != "0"]
problems += [name for name in carried if name != "lo"]
honest.answer_unless(problems)
