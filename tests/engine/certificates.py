"""Certificates for TLS, made with openssl as docker's documentation has it."""

from __future__ import annotations

import subprocess
from pathlib import Path


def authority(folder: Path) -> Path:
    """A folder with a new authority of its own: ca.pem and ca-key.pem."""
    folder.mkdir(parents=True)
    _openssl(
        *(
            "req",
            "-x509",
            "-newkey",
            "rsa:2048",
            "-nodes",
            "-days",
            "2",
            "-subj",
            "/CN=test authority",
        ),
        *("-keyout", folder / "ca-key.pem", "-out", folder / "ca.pem"),
    )
    return folder


def issue(ca: Path, folder: Path, *, names: str = "IP:127.0.0.1") -> Path:
    """A folder with ca.pem, and cert.pem and key.pem that the authority has signed. names: whose."""
    folder.mkdir(parents=True)
    (folder / "ca.pem").write_bytes((ca / "ca.pem").read_bytes())
    _openssl(
        *("req", "-newkey", "rsa:2048", "-nodes", "-subj", "/CN=test"),
        *("-keyout", folder / "key.pem", "-out", folder / "request.pem"),
    )
    (folder / "extensions").write_text(f"subjectAltName={names}\n")
    _openssl(
        *("x509", "-req", "-in", folder / "request.pem", "-days", "2", "-CAcreateserial"),
        *("-CA", ca / "ca.pem", "-CAkey", ca / "ca-key.pem", "-out", folder / "cert.pem"),
        *("-extfile", folder / "extensions"),
    )
    return folder


def _openssl(*words: str | Path) -> None:
    subprocess.run(["openssl", *map(str, words)], capture_output=True, check=True)
