"""Layers laid on one another, and the two formats of `docker save`, on streams made here."""

import gzip
import io
import json
import tarfile
from typing import Any

import pytest

from course_magics.containers.layers.compare import Comparison
from course_magics.containers.layers.result import Layers
from course_magics.containers.layers.saved import Entry, Saved, read
from course_magics.containers.layers.stack import Seen
from course_magics.containers.layers.tar import BrokenTar, Source
from course_magics.errors import EngineError


def entry(text: str) -> Entry:
    """ "a/b 10" is a file of 10 bytes, "a/" a folder, "a" an empty file."""
    path, _, size = text.partition(" ")
    return Entry(path.rstrip("/"), "dir" if path.endswith("/") else "file", int(size or 0))


def image(*layers: list[str], **config: Any) -> Saved:
    return Saved(config, [[entry(text) for text in layer] for layer in layers])


def result(*layers: list[str]) -> Layers:
    return Layers("x", image(*layers), "docker save x")


def counts(found: Layers) -> list[tuple[int, int, int, int]]:
    return [(r["added"], r["changed"], r["removed"], r["hidden"]) for r in found.rows]


def test_nothing_twice_wastes_nothing() -> None:
    found = result(["etc/", "etc/a 10"], ["etc/", "etc/b 20"])
    assert counts(found) == [(1, 0, 0, 0), (1, 0, 0, 0)]
    assert (found.efficiency, found.wasted_bytes, found.wasted_files) == (1.0, 0, [])


def test_an_overwritten_file() -> None:
    found = result(["a 2000", "b 3000"], ["a 5000", "c 10000"])
    assert counts(found) == [(2, 0, 0, 2000), (1, 1, 0, 0)]
    assert [(w.path, w.copies, w.size) for w in found.wasted_files] == [("a", 2, 7000)]
    assert found.wasted_bytes == 7000  # as dive: all copies
    assert found.hidden_bytes == 2000
    assert found.efficiency == (2000 + 3000 + 10000) / (7000 + 3000 + 10000)


def test_a_removed_file() -> None:
    found = result(["a 100", "b 300"], [".wh.a"])
    assert counts(found) == [(2, 0, 0, 100), (0, 0, 1, 0)]
    assert found.wasted_bytes == 100
    assert found.efficiency == 300 / 400


def test_removed_and_made_again() -> None:
    found = result(["a 100"], [".wh.a"], ["a 50"])
    assert counts(found) == [(1, 0, 0, 100), (0, 0, 1, 0), (1, 0, 0, 0)]
    assert [(w.copies, w.size) for w in found.wasted_files] == [(3, 150)]
    assert found.efficiency == 0


def test_a_removed_folder_is_all_that_was_in_it() -> None:
    found = result(["d/", "d/e/", "d/e/a 10", "d/b 20", "dd/", "dd/c 40"], [".wh.d"])
    assert counts(found) == [(3, 0, 0, 30), (0, 0, 2, 0)]
    assert found.wasted_bytes == 30
    assert found.efficiency == 40 / 70


def test_an_opaque_folder_hides_what_was_below_and_nothing_of_its_own() -> None:
    found = result(["d/", "d/a 10", "d/b 20"], ["d/", "d/.wh..wh..opq", "d/b 5", "d/c 1"])
    assert counts(found) == [(2, 0, 0, 30), (1, 1, 1, 0)]
    changes = {r["path"]: r["change"] for r in found.layers[1].rows}
    assert changes == {"d/a": "removed", "d/b": "changed", "d/c": "added"}


def test_an_opaque_top_folder() -> None:
    assert counts(result(["a 10"], [".wh..wh..opq", "b 1"])) == [(1, 0, 0, 10), (1, 0, 1, 0)]


def test_a_folder_in_the_place_of_a_file_and_the_other_way_round() -> None:
    found = result(["a 10", "d/", "d/x 20"], ["a/", "a/b 1", "d 2"])
    assert counts(found) == [(2, 0, 0, 30), (2, 0, 2, 0)]
    assert found.layers[1].files["a"][""].change == "removed"
    assert found.layers[1].files["d"][""].change == "added"


def test_notes_of_aufs_and_whiteouts_of_nothing() -> None:
    assert counts(result(["a 1"], [".wh..wh.plnk/", ".wh..wh.aufs", ".wh.other"])) == [
        (1, 0, 0, 0),
        (0, 0, 0, 0),
    ]


def test_an_image_without_layers_and_layers_without_files() -> None:
    assert (result().efficiency, str(result()).startswith("(no layers)")) == (1.0, True)
    assert counts(result([], ["d/"])) == [(0, 0, 0, 0), (0, 0, 0, 0)]


def test_a_name_twice_in_one_layer_counts_once() -> None:
    assert counts(result(["a 1", "a 2"])) == [(1, 0, 0, 0)]


def test_the_files_as_a_tree_and_as_rows() -> None:
    layer = result(["etc/", "etc/b/", "etc/b/c 7"]).layers[0]
    assert layer.files["etc"]["b"]["c"].size == 7
    assert layer.rows == [
        {"path": "etc/b/c", "change": "added", "size": 7, "kind": "file", "hidden": False}
    ]


def test_the_history_names_layers_and_leaves_out_what_made_none() -> None:
    history = [
        {"created_by": "/bin/sh -c #(nop) ADD x"},
        {"created_by": "ENV A=1", "empty_layer": True},
        {"created_by": "RUN y # buildkit"},
    ]
    found = Layers("x", image(["a"], ["b"], ["c"], history=history), "")
    assert [r["instruction"] for r in found.rows] == [
        "ADD x",
        "RUN y",
        "(its history does not say)",
    ]


def test_no_output_longer_than_a_screen() -> None:
    many = [f"d{i}/f{j} {j}" for i in range(300) for j in range(20)]
    found = Layers("x", image(many, many), "docker save x", files=10)
    assert len(str(found).split("\n")) < 50
    assert "… and 5695 more (.wasted_files)" in str(found)
    assert len(found.wasted_files) == 300 * 19


def test_hostile_names_are_escaped() -> None:
    name = "<script>alert(1)</script>\x1b[31m\u202e"
    found = Layers("x", Saved({}, [[Entry(name, "file", 9)]] * 2), "docker save x", files=3)
    bundle = found._repr_mimebundle_()
    assert "<script>" not in bundle["text/html"]
    assert not set("\x1b\u202e") & set(bundle["text/plain"] + bundle["text/html"])
    assert found.layers[0].rows[0]["path"] == name  # as data it is what it is


# --- the stream --------------------------------------------------------------------------------


def tar(members: list[tuple[str, bytes | str]]) -> bytes:
    """Files (bytes) and symbolic links (text)."""
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w") as made:
        for name, content in members:
            info = tarfile.TarInfo(name)
            if isinstance(content, str):
                info.type, info.linkname = tarfile.SYMTYPE, content
                made.addfile(info)
            else:
                info.size = len(content)
                made.addfile(info, io.BytesIO(content))
    return out.getvalue()


LOW, HIGH = tar([("a", b"12345")]), tar([("./b", b"1"), ("/c", b"22")])
CONFIG = b'{"history": []}'


def opened(members: list[tuple[str, bytes | str]]) -> list[list[tuple[str, int]]]:
    stream = io.BytesIO(tar(members))
    return [[(e.path, e.size) for e in layer] for layer in read(Source(stream.read)).layers]


def manifest(*layers: str, config: str = "c.json") -> tuple[str, bytes]:
    return "manifest.json", json.dumps([{"Config": config, "Layers": layers}]).encode()


BOTH = [[("a", 5)], [("b", 1), ("c", 2)]]


def test_the_old_format_with_a_layer_that_is_a_link_to_another() -> None:
    members: list[tuple[str, bytes | str]] = [
        ("2/layer.tar", HIGH),
        ("1/VERSION", b"1.0"),
        ("1/layer.tar", LOW),
        ("3/layer.tar", "../1/layer.tar"),
        ("c.json", CONFIG),
        manifest("1/layer.tar", "2/layer.tar", "3/layer.tar"),
    ]
    assert opened(members) == [*BOTH, BOTH[0]]
    assert opened(members[::-1]) == [*BOTH, BOTH[0]]


def test_the_oci_layout_compressed_or_not() -> None:
    config = "blobs/sha256/cc"
    layers = ("blobs/sha256/02", "blobs/sha256/01")
    members: list[tuple[str, bytes | str]] = [
        (layers[1], gzip.compress(HIGH)),
        (layers[0], LOW),
        (config, CONFIG),
        ("index.json", b"{}"),
        manifest(*layers, config=config),
        ("oci-layout", b"{}"),
    ]
    assert opened(members) == BOTH


def test_an_empty_layer() -> None:
    assert opened([("l", bytes(1024)), ("c.json", CONFIG), manifest("l")]) == [[]]


def test_zstd_is_said_to_be_unknown() -> None:
    with pytest.raises(EngineError, match="zstd"):
        opened([("l", b"\x28\xb5\x2f\xfd" + bytes(600)), manifest("l")])


@pytest.mark.parametrize(
    "members",
    [
        [("c.json", CONFIG)],
        [("manifest.json", b"[oops"), ("c.json", CONFIG)],
        [("manifest.json", b"[]"), ("c.json", CONFIG)],
        [("manifest.json", b"{}"), ("c.json", CONFIG)],
        [("manifest.json", b"[7]"), ("c.json", CONFIG)],
        [manifest("gone"), ("c.json", CONFIG)],
        [manifest("l"), ("l", LOW)],
        [manifest("l"), ("l", "m"), ("m", "l"), ("c.json", CONFIG)],
        [manifest("l"), ("l", LOW[:700]), ("c.json", CONFIG)],
        [manifest("l"), ("l", LOW), ("c.json", b"[1]")],
    ],
)
def test_a_stream_that_is_no_image(members: list[tuple[str, bytes | str]]) -> None:
    with pytest.raises(BrokenTar):
        opened(members)


# --- two images ----------------------------------------------------------------------------------


def test_two_images_beside_each_other() -> None:
    one = image(
        ["same 5", "a 10", "x 1"],
        [".wh.x"],
        rootfs={"diff_ids": ["1", "2"]},
        config={"Env": ["P=1", "Q=same"], "Cmd": ["a"], "User": "me"},
    )
    other = image(
        ["same 5", "a 10", "x 1"],
        ["a 11", "b 3"],
        rootfs={"diff_ids": ["1", "3"]},
        config={"Env": ["P=2", "Q=same", "R="], "Cmd": ["a"]},
    )
    found = Comparison(("one", "other"), (one, other), "docker save one other")
    assert [(r["path"], r["in"], r["a"], r["b"]) for r in found.rows] == [
        ("a", "both", 10, 11),
        ("b", "B", None, 3),
        ("x", "B", None, 1),
    ]
    assert (found.shared, found.shared_size, found.sizes) == (1, 16, (16, 30))
    assert [(r["name"], r["a"], r["b"]) for r in found.config] == [
        ("env P", "1", "2"),
        ("env R", None, ""),
        ("user", "me", None),
    ]
    assert found.only("A") == []


def test_the_same_size_and_another_content_is_a_difference() -> None:
    def one(checksum: int) -> Saved:
        return Saved({}, [[Entry("a", "file", 5, "", checksum)]])

    assert len(Comparison(("a", "b"), (one(1), one(2)), "")) == 1
    same = Comparison(("a", "b"), (one(1), one(1)), "")
    assert "(no file differs)" in str(same)


def test_the_stack_is_what_a_container_sees() -> None:
    seen = Seen()
    for layer in (["a 1", "b 2"], [".wh.a", "c 3"], ["b 4"]):
        seen.lay([entry(text) for text in layer])
    assert {path: e.size for path, (_, e) in seen.files.items()} == {"b": 4, "c": 3}
