"""A web server with a certificate that nobody knows, and a proxy that asks for a password: both on this machine."""

from __future__ import annotations

import base64
import ipaddress
import select
import socket
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path, address: str) -> tuple[Path, Path]:
    """A certificate for that address, which is its own authority, and its key: two files."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "a test")])
    now = datetime.now(UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(days=1))
        .not_valid_after(now + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address(address))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "server.pem", folder / "server.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    pkcs8 = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    paths[1].write_bytes(key.private_bytes(*pkcs8))
    return paths


@dataclass
class Web:
    """`body` is what every address answers with. `tunnels`: what the proxy was asked to connect to; `refused`: how
    often it was asked with the wrong password."""

    body: bytes
    password: str = ""
    url: str = ""
    port: int = 0
    proxy: str = ""
    tunnels: list[str] = field(default_factory=list)
    refused: int = 0


@contextmanager
def served(host: str, folder: Path, body: bytes = b"ok", password: str = "letmein-4711") -> Iterator[Web]:
    """An HTTPS server and a proxy, on free ports of that address. `server.pem` in the folder is its certificate."""
    web = Web(body, password)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate(folder, host))
    server = ThreadingHTTPServer((host, 0), answering(web))
    server.socket = context.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    proxy = ThreadingHTTPServer((host, 0), tunnelling(web))
    web.port = server.server_port
    web.url = f"https://{host}:{server.server_port}"
    web.proxy = f"http://user:{password}@{host}:{proxy.server_port}"
    threads = [threading.Thread(target=each.serve_forever, args=(0.05,), daemon=True) for each in (server, proxy)]
    for thread in threads:
        thread.start()
    try:
        yield web
    finally:
        for each in (server, proxy):
            each.shutdown()
            each.server_close()


def answering(web: Web) -> type[BaseHTTPRequestHandler]:
    class Answer(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(200)
            self.send_header("Content-Length", str(len(web.body)))
            self.end_headers()
            self.wfile.write(web.body)

        def handle(self):
            with suppress(OSError):  # who does not trust us goes away
                super().handle()

        def log_message(self, *_):
            pass

    return Answer


def tunnelling(web: Web) -> type[BaseHTTPRequestHandler]:
    wanted = "Basic " + base64.b64encode(f"user:{web.password}".encode()).decode()

    class Tunnel(BaseHTTPRequestHandler):
        def do_CONNECT(self):
            if self.headers["Proxy-Authorization"] != wanted:
                web.refused += 1
                self.send_error(407)
                return
            host, _, port = self.path.rpartition(":")
            with socket.create_connection((host, int(port)), 10) as there:
                web.tunnels.append(self.path)
                self.send_response(200)
                self.end_headers()
                carry(self.connection, there)

        def log_message(self, *_):
            pass

    return Tunnel


def carry(here: socket.socket, there: socket.socket) -> None:
    """Bytes both ways, until either side ends."""
    other = {here: there, there: here}
    while True:
        for one in select.select([here, there], [], [])[0]:
            data = one.recv(65536)
            if not data:
                return
            other[one].sendall(data)
