"""A TLS line to a server that can be pulled in the middle of whatever flows."""

from __future__ import annotations

import contextlib
import datetime as dt
import ipaddress
import socket
import ssl
import threading
from collections.abc import Iterator, Sequence
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID


def certificate(folder: Path, *, begins: int = -1, ends: int = 60) -> tuple[Path, Path]:
    """Write a certificate for 127.0.0.1 and its key, valid from and until so many days from now."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "centre")])
    now = dt.datetime.now(dt.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now + dt.timedelta(days=begins))
        .not_valid_after(now + dt.timedelta(days=ends))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False
        )
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "centre.pem", folder / "centre.key"
    paths[0].write_bytes(made.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
    )
    return paths


class Cable:
    """Relays TLS connections to a plain HTTP port; pulled after so many bytes in all.

    Parameters
    ----------
    cuts : sequence of int
        Bytes from the client (counted from the start) after which every connection is cut.
    """

    def __init__(self, target: int, pem: tuple[Path, Path], cuts: Sequence[int] = ()) -> None:
        self._target = target
        self._cuts = sorted(cuts)
        self.pulled = 0
        self._flowed = 0
        self._lock = threading.Lock()
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(*pem)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._open: set[socket.socket] = set()
        threading.Thread(target=self._serve, daemon=True).start()

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def _serve(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                raw, _ = self._listener.accept()
                threading.Thread(target=self._relay, args=(raw,), daemon=True).start()

    def _relay(self, raw: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError):
            client = self._context.wrap_socket(raw, server_side=True)
            server = socket.create_connection(("127.0.0.1", self._target))
            with self._lock:
                self._open |= {client, server}
            back = threading.Thread(target=self._back, args=(server, client), daemon=True)
            back.start()
            while data := client.recv(1 << 15):
                server.sendall(data)
                if self._count(len(data)):
                    self._pull()
            server.shutdown(socket.SHUT_WR)
            back.join()
            client.close()
            server.close()

    @staticmethod
    def _back(server: socket.socket, client: socket.socket) -> None:
        with contextlib.suppress(OSError, ssl.SSLError, ValueError):
            while data := server.recv(1 << 15):
                client.sendall(data)

    def _count(self, size: int) -> bool:
        with self._lock:
            self._flowed += size
            if self._cuts and self._flowed >= self._cuts[0]:
                self._cuts.pop(0)
                self.pulled += 1
                return True
        return False

    def _pull(self) -> None:
        with self._lock:
            sockets, self._open = self._open, set()
        for one in sockets:
            with contextlib.suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
                one.close()

    def close(self) -> None:
        self._listener.close()
        self._pull()


@contextlib.contextmanager
def cable(target: int, pem: tuple[Path, Path], cuts: Sequence[int] = ()) -> Iterator[Cable]:
    """Lay a cable while the block runs."""
    line = Cable(target, pem, cuts)
    try:
        yield line
    finally:
        line.close()
