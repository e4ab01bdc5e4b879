"""The C-STORE and C-ECHO receiver: bytes of an object go to disk as they arrive, undecoded and unchanged."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from io import BytesIO
from pathlib import Path
from typing import Any, BinaryIO

from pydicom.dataset import Dataset
from pydicom.uid import UID
from pynetdicom import AE, ALL_TRANSFER_SYNTAXES, AllStoragePresentationContexts, build_context, evt
from pynetdicom.dimse import DIMSEServiceProvider
from pynetdicom.dimse_messages import DIMSEMessage
from pynetdicom.dsutils import create_file_meta, encode_file_meta
from pynetdicom.presentation import PresentationContext
from pynetdicom.sop_class import Verification  # type: ignore[attr-defined]

_BUFFER = 1 << 20
_LARGEST_PDU = 1 << 20
_ASSOCIATIONS = 64
_NOBODY = "-"

SUCCESS = 0x0000
PROCESSING_FAILURE = 0x0110
DUPLICATE_OBJECT = 0x0111
NOT_AUTHORIZED = 0x0124
OUT_OF_RESOURCES = 0xA700
MISMATCH = 0xA900
NOT_UNDERSTOOD = 0xC000


@dataclass(frozen=True, slots=True)
class Delivery:
    """One received object, whole and fsynced: its spool file, who sent it, and to which title."""

    path: Path
    sop_instance_uid: str
    called: str
    calling: str


Store = Callable[[Delivery], "tuple[int, str]"]
"""Take over one delivery; answer the DICOM status and a comment of at most 64 characters."""

Admission = Callable[[str, str, str], bool]
"""Tell whether (called title, calling title, address) may open an association."""


@cache
def _contexts() -> tuple[PresentationContext, ...]:
    """Return what receivers take: each storage class in each transfer syntax (slow to build)."""
    stored = (str(context.abstract_syntax) for context in AllStoragePresentationContexts)
    return (
        build_context(Verification),
        *(build_context(name, list(ALL_TRANSFER_SYNTAXES)) for name in stored),
    )


class StreamingDimse(DIMSEServiceProvider):
    """A message provider whose data sets are spooled to files in place of memory."""

    folder: Path
    _message: DIMSEMessage | None

    @classmethod
    def attach(cls, association: Any, folder: Path) -> None:
        """Give a requested association this provider before its first message arrives."""
        provider = cls(association)
        provider.folder = folder
        association.dimse = provider

    @property
    def message(self) -> DIMSEMessage | None:
        """The message that is being received; a new one always has a spool for its data set."""
        if self._message is None:
            self._message = DIMSEMessage()
            self._message.data_set = _Spool(self._message, self.assoc, self.folder)
        return self._message

    @message.setter
    def message(self, value: DIMSEMessage | None) -> None:
        self._message = value

    def discard(self) -> None:
        """Remove what an association that broke off left behind."""
        spools = [self._message.data_set] if self._message is not None else []
        while not self.msg_queue.empty():
            _, primitive = self.msg_queue.get_nowait()
            spools.append(getattr(primitive, "DataSet", None))
        for spool in spools:
            if isinstance(spool, _Spool):
                spool.discard()


class _Spool(BytesIO):
    """Looks like the memory buffer the protocol library fills, and is a file with its DICOM file meta."""

    def __init__(self, message: DIMSEMessage, association: Any, folder: Path) -> None:
        super().__init__()
        self._message = message
        self._association = association
        self._folder = folder
        self._file: BinaryIO | None = None
        self.path: Path | None = None

    def write(self, data: Any) -> int:
        if self._file is None:
            self._file = self._open()
        return self._file.write(data)

    def finish(self) -> Path:
        """Flush and fsync; return the path of the complete file, which the caller now owns."""
        if self._file is None or self.path is None:
            raise EOFError("the object has no data set")
        self._file.flush()
        os.fsync(self._file.fileno())
        self._file.close()
        path, self.path = self.path, None
        return path

    def discard(self) -> None:
        if self.path is not None:
            self.path.unlink(missing_ok=True)
            self.path = None
        if self._file is not None:
            with suppress(OSError):  # a full disk: what is still in the buffer cannot be written
                self._file.close()

    def _open(self) -> BinaryIO:
        command = self._message.command_set
        context = self._association._accepted_cx[self._message.context_id]
        self.path = self._folder / f"{secrets.token_hex(12)}.dcm"
        stream = self.path.open("xb", buffering=_BUFFER)
        meta = create_file_meta(
            sop_class_uid=UID(command.AffectedSOPClassUID),
            sop_instance_uid=UID(command.AffectedSOPInstanceUID),
            transfer_syntax=context.transfer_syntax[0],
        )
        stream.write(b"\0" * 128 + b"DICM" + encode_file_meta(meta))
        return stream


class Receiver:
    """One listening port with the application titles that answer on it.

    Parameters
    ----------
    titles : sequence of str
        Called titles that are accepted; an association to another title is rejected.
    port : int
        TCP port; 0 takes a free one.
    spool : Path
        Folder for objects on their way in, on the file system of the archive.
    store : Store
        Takes over each object; called in the thread of its association.
    admit : Admission
        Asked before an association is accepted.
    host : str
        Address to listen on.
    """

    def __init__(
        self,
        titles: Sequence[str],
        port: int,
        spool: Path,
        store: Store,
        *,
        admit: Admission = lambda called, calling, address: True,
        host: str = "",
    ) -> None:
        self._titles = {title.strip() for title in titles}
        self._spool = spool
        self._store = store
        self._admit = admit
        entity = AE(ae_title=titles[0])
        entity.require_called_aet = True
        entity.maximum_associations = _ASSOCIATIONS
        entity.maximum_pdu_size = _LARGEST_PDU
        handlers: list[Any] = [
            (evt.EVT_REQUESTED, self._requested),
            (evt.EVT_C_STORE, self._received),
            (evt.EVT_CONN_CLOSE, _closed),
        ]
        server = entity.start_server(
            (host, port), block=False, evt_handlers=handlers, contexts=list(_contexts())
        )
        if server is None:
            raise OSError("the receiver did not start")
        self._server = server
        self.port = int(server.server_address[1])

    def stop(self) -> None:
        """Stop listening and end the associations that are open."""
        self._server.shutdown()

    def _requested(self, event: evt.Event) -> None:
        association = event.assoc
        request: Any = association.requestor.primitive
        called, calling = str(request.called_ae_title).strip(), str(request.calling_ae_title).strip()
        known = called in self._titles and self._admit(called, calling, association.requestor.address or "")
        # The library rejects an association whose called title is not this one.
        association.acceptor.ae_title = called if known else _NOBODY
        StreamingDimse.attach(association, self._spool)

    def _received(self, event: evt.Event) -> Dataset | int:
        request: Any = event.request
        spool = request.DataSet
        if not isinstance(spool, _Spool):
            return PROCESSING_FAILURE
        try:
            path = spool.finish()
        except EOFError:
            return _status(NOT_UNDERSTOOD, "no data set")
        except OSError:
            spool.discard()
            return _status(OUT_OF_RESOURCES, "cannot write")
        association: Any = event.assoc.requestor.primitive
        status, comment = self._store(
            Delivery(
                path,
                str(request.AffectedSOPInstanceUID),
                str(association.called_ae_title).strip(),
                str(association.calling_ae_title).strip(),
            )
        )
        return _status(status, comment)


def ports_of(receivers: Sequence[Mapping[str, Any]]) -> dict[int, list[str]]:
    """Group enabled receivers by port: port -> titles."""
    ports: dict[int, list[str]] = {}
    for row in receivers:
        if row.get("enabled"):
            ports.setdefault(int(row["port"]), []).append(str(row["aeTitle"]))
    return ports


def _closed(event: evt.Event) -> None:
    if isinstance(event.assoc.dimse, StreamingDimse):
        event.assoc.dimse.discard()


def _status(status: int, comment: str) -> Dataset | int:
    if status == SUCCESS:
        return SUCCESS
    answer = Dataset()
    answer.Status = status
    answer.ErrorComment = comment[:64]
    return answer
