"""Sizes and times as docker's flags write them."""

from __future__ import annotations

import re

_UNITS = {"": 1, "b": 1, "k": 1 << 10, "m": 1 << 20, "g": 1 << 30, "t": 1 << 40}
_DURATION = {"ns": 1e-9, "us": 1e-6, "µs": 1e-6, "ms": 1e-3, "s": 1.0, "m": 60.0, "h": 3600.0}


def read_bytes(text: str) -> int:
    """Docker's sizes in bytes: "512m", "1.5g", "1024" (binary units). ValueError otherwise."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([kmgt]?)(?:i?b)?", text.strip().lower())
    if not match:
        raise ValueError("a size such as 512m or 1g")
    return int(float(match[1]) * _UNITS[match[2]])


def read_seconds(text: str) -> float:
    """Go's durations in seconds: "1m30s", "500ms", or a plain number. ValueError otherwise."""
    if re.fullmatch(r"\d+(\.\d+)?", text):
        return float(text)
    if not re.fullmatch(r"(\d+(\.\d+)?(ns|us|µs|ms|s|m|h))+", text):
        raise ValueError("a time such as 10s or 1m30s")
    parts = re.findall(r"(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)", text)
    return sum(float(amount) * _DURATION[unit] for amount, unit in parts)


def show_bytes(size: float) -> str:
    """A size as docker shows it, in decimal units: 1980000 → "1.98 MB"."""
    for unit in ("B", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
