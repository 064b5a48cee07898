"""What of PyPI's archive of pyspark comes into course/spark."""

from __future__ import annotations

import tarfile
from io import BytesIO
from pathlib import Path

import pytest

from course_magics.errors import MachineError
from course_magics.guest import spark
from course_magics.guest.bases import BASES
from course_magics.guest.images import IMAGES

KEPT = {
    "deps/bin/spark-class": "opt/spark/bin/spark-class",
    "deps/jars/spark-core_2.13-4.0.0.jar": "opt/spark/jars/spark-core_2.13-4.0.0.jar",
    "deps/jars/spark-sql_2.13-4.0.0.jar": "opt/spark/jars/spark-sql_2.13-4.0.0.jar",
    "deps/jars/hadoop-client-api-3.4.1.jar": "opt/spark/jars/hadoop-client-api-3.4.1.jar",
    "pyspark/__init__.py": "opt/spark/python/pyspark/__init__.py",
    "lib/py4j-0.10.9.9-src.zip": "opt/spark/python/lib/py4j.zip",
}
LEFT_OUT = (
    "setup.py",
    "deps/bin/pyspark2.cmd",
    "deps/data/mllib/kmeans_data.txt",
    "deps/jars/spark-mllib_2.13-4.0.0.jar",
    "deps/jars/spark-connect_2.13-4.0.0.jar",
    "deps/jars/hive-exec-2.3.10-core.jar",
    "deps/jars/rocksdbjni-9.8.4.jar",
    "pyspark/sql/tests/test_types.py",
)


def test_spark_has_its_own_layout_without_what_the_course_does_not_run(tmp_path: Path) -> None:
    source = tmp_path / "pyspark.tar.gz"
    with tarfile.open(source, "w:gz") as tar:
        for name in (*KEPT, *LEFT_OUT):
            member = tarfile.TarInfo(f"pyspark-4.0.0/{name}")
            member.size, member.mode = 1, 0o755 if "bin/" in name else 0o644
            tar.addfile(member, BytesIO(b"x"))
    with tarfile.open(tmp_path / "out.tar", "w") as out:
        spark.add_spark(source, out)
    with tarfile.open(tmp_path / "out.tar") as made:
        assert sorted(made.getnames()) == sorted(KEPT.values())
        assert made.getmember("opt/spark/bin/spark-class").mode == 0o755
        assert made.getmember("opt/spark/python/lib/py4j.zip").mode == 0o644


def test_no_engine_gets_it_unasked() -> None:
    assert BASES["course/spark"].optional
    assert "course/spark" not in IMAGES


def test_another_archive_of_that_name_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """pip would run its setup.py; whoever serves it is not who made it."""
    index, work = tmp_path / "index", tmp_path / "work"
    index.mkdir()
    work.mkdir()
    name = "pyspark-4.3.0"
    ran = tmp_path / "ran"
    setup = f"open({str(ran)!r}, 'w')\n".encode()
    with tarfile.open(index / f"{name}.tar.gz", "w:gz") as archive:
        for file, data in (("setup.py", setup), ("PKG-INFO", b"Name: pyspark\n")):
            info = tarfile.TarInfo(f"{name}/{file}")
            info.size = len(data)
            archive.addfile(info, BytesIO(data))
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(index))
    monkeypatch.setenv("PIP_NO_BUILD_ISOLATION", "0")  # pip's way to say: none
    with pytest.raises(MachineError, match="pip") as caught:
        spark._pyspark(work)
    assert "HASHES" in str(caught.value).upper()
    assert not ran.exists()
