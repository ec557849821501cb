# D39: the engine's sockets and its files
# ends: passed - -
import os
import socket

import honest

problems = []
for path in (
    "/var/run/docker.sock",
    "/run/docker.sock",
    "/run/containerd/containerd.sock",
    "/run/podman/podman.sock",
    "/run/crio/crio.sock",
    "/run/dbus/system_bus_socket",
    "/run/systemd/private",
):
    problems += honest.refused(path, lambda p=path: socket.socket(socket.AF_UNIX).connect(p))
problems += [
    path for path in ("/var/lib/docker", "/var/lib/containerd", "/host", "/hostfs", "/rootfs") if os.path.exists(path)
]
honest.answer_unless(problems)
