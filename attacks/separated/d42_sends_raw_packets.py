# D42: raw and packet sockets, ARP
# ends: passed - -
# quick: no
import socket

import honest

problems = []
for protocol in (0x0003, 0x0800, 0x0806):
    for kind in (socket.SOCK_RAW, socket.SOCK_DGRAM):
        problems += honest.refused(
            f"packet {protocol:#x}", lambda p=protocol, k=kind: socket.socket(socket.AF_PACKET, k, socket.htons(p))
        )
for family in (socket.AF_INET, socket.AF_INET6):
    for protocol in (socket.IPPROTO_RAW, socket.IPPROTO_ICMP, socket.IPPROTO_TCP):
        problems += honest.refused(f"raw {protocol}", lambda f=family, p=protocol: socket.socket(f, socket.SOCK_RAW, p))
honest.answer_unless(problems)
