"""Raw requests to the engine, for what the SDK's own calls do not give: live, separate streams.

Docker multiplexes stdout and stderr: each piece has a header of eight bytes, the first its stream
(1 or 2), the last four its length (https://docs.docker.com/reference/api/engine/, "Attach").
"""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests
    from docker import APIClient

    from course_magics.streams import Sink

_PIECE = 65536


def request(api: APIClient, method: str, path: str, **options: Any) -> requests.Response:
    """One request to the engine. options: as for `requests` (params, json, stream, headers).

    Not bounded in time: used for answers that come when a container does something.
    Raises docker.errors.APIError as the SDK does.
    """
    import requests as library
    from docker.errors import create_api_error_from_http_exception

    options.setdefault("timeout", None)
    response: requests.Response = api.request(
        method, f"{api.base_url}/v{api.api_version}{path}", **options
    )
    try:
        response.raise_for_status()
    except library.exceptions.HTTPError as error:
        create_api_error_from_http_exception(error)
    return response


class Attached:
    """A connection taken over for a program's streams: its output comes, its input goes."""

    def __init__(self, api: APIClient, path: str, **options: Any) -> None:
        headers = {"Connection": "Upgrade", "Upgrade": "tcp"}
        self._response = request(api, "POST", path, stream=True, headers=headers, **options)
        # The buffered reader, not the socket below it: the first output may have come together
        # with the HTTP header, and then it is in that buffer.
        raw: Any = self._response.raw
        self._reader = raw._fp.fp
        self._socket: socket.socket = self._reader.raw._sock
        self._socket.settimeout(None)
        self._fed = False

    def chunks(self) -> Iterator[bytes]:
        """Bytes as they come, until the program closes its streams."""
        while piece := self._read():
            yield piece

    def _read(self) -> bytes:
        try:
            return bytes(self._reader.read1(_PIECE))
        except ConnectionResetError:
            if not self._fed:
                raise
            return b""  # so Podman closes it on input that nobody has read

    def feed(self, data: bytes, *, end: bool = True) -> None:
        """Send `data` as the program's standard input, while its output is being read.

        end: nothing more will come. A container whose input stays open for others (made with
        `-d -i`) is not told so, and the engine would take it for the end of this connection.
        """
        self._fed = True
        threading.Thread(target=self._send, args=(data, end), daemon=True).start()

    def _send(self, data: bytes, end: bool) -> None:
        try:
            self._socket.sendall(data)
            if end:
                self._socket.shutdown(socket.SHUT_WR)
        except OSError:
            pass  # the program ended without reading all of it, as `yes | head` does

    def close(self) -> None:
        """Give the connection back."""
        self._response.close()


def pump(chunks: Iterable[bytes], out: Sink, err: Sink, *, tty: bool = False) -> None:
    """Write the pieces of `chunks` to `out` and `err`. tty: the stream is not multiplexed."""
    if tty:
        for chunk in chunks:
            out.write(chunk)
        return
    pending = bytearray()
    for chunk in chunks:
        pending += chunk
        while len(pending) >= 8:
            kind, size = pending[0], struct.unpack(">I", pending[4:8])[0]
            if len(pending) < 8 + size:
                break
            piece = bytes(pending[8 : 8 + size])
            del pending[: 8 + size]
            (err if kind == 2 else out).write(piece)
