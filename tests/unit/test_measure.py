"""%measure without an engine: statistics, predictions, the plot, refusals, a subject that is not there."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable
from pathlib import Path

import pytest
from IPython.core.interactiveshell import InteractiveShell

from course_magics.display.bars import Bar, Bars
from course_magics.errors import CourseError, Interrupted, MachineError, OptionError
from course_magics.experiments import NAMES, disk, lab, measure, memory, predict, quantity, runner
from course_magics.experiments.result import EMULATED, Measurement, Observations, Series


def result(**guesses: float) -> Measurement:
    series = [
        Series("process", quantity.SECONDS, (0.003, 0.001, 0.002)),
        Series("container", quantity.SECONDS, (0.25,)),
        Series("machine", quantity.SECONDS, (5.0, 7.0), emulated=True),
        Series("machine", quantity.SECONDS, (), "cold boot", missing="vagrant is <not> installed"),
    ]
    return Measurement("startup", "Time until it runs", series, [("measured", "by hand")], guesses)


def test_median_and_spread() -> None:
    row = result()["process"]
    assert (row["median"], row["low"], row["high"], row["runs"]) == (0.002, 0.001, 0.003, 3)
    assert result().median("machine") == 6.0
    assert result().median("vm") == 6.0
    assert result().median("machine, cold boot") is None
    assert result().order() == ["process", "container", "machine"]


def test_a_row_that_nobody_measured() -> None:
    with pytest.raises(CourseError, match=r"did you mean 'container'\?"):
        result().median("containr")


def test_the_prediction_stands_beside_the_result() -> None:
    shown = str(result(container=1.0, machine=6.2))
    container = next(line for line in shown.splitlines() if line.startswith("container "))
    assert "4 × too high" in container
    assert "within 10 %" in next(x for x in shown.splitlines() if x.startswith("machine "))
    assert result(machine=30.0).rows[3]["predicted"] is None  # only a subject's first row has it


def test_emulated_machines_are_marked_in_their_row_and_in_a_sentence() -> None:
    lines = str(result()).splitlines()
    assert next(line for line in lines if line.startswith("machine ")).endswith("emulated")
    assert EMULATED in lines


def test_a_subject_that_is_not_there_says_why_in_its_row() -> None:
    html = result()._repr_mimebundle_()["text/html"]
    assert "vagrant is <not> installed" in str(result())
    assert "vagrant is &lt;not&gt; installed" in html


def test_the_result_as_data() -> None:
    found = result(container=1.0)
    assert '"predicted": 1.0' in found.to_json()
    assert [row["name"] for row in found.rows][-1] == "machine, cold boot"


@pytest.mark.parametrize(
    ("name", "words", "expected"),
    [
        ("startup", ["container=1s", "vm=1m30s"], {"container": 1.0, "machine": 90.0}),
        ("startup", ["host=5ms"], {"process": 0.005}),
        ("memory", ["machine=512m"], {"machine": 512e6}),
        ("network", ["process=100m/s"], {"process": 100e6}),
        ("density", ["container=200"], {"container": 200.0}),
    ],
)
def test_predictions_are_read_with_their_units(
    name: str, words: list[str], expected: dict[str, float]
) -> None:
    assert runner.predictions(name, words) == expected


@pytest.mark.parametrize(
    ("name", "word", "message"),
    [
        ("startup", "container", "SUBJECT=VALUE"),
        ("startup", "contaner=1s", r"did you mean container=1s\?"),
        ("startup", "container=fast", "takes a time such as 10s"),
        ("startup", "container=5MB", "takes a time such as 10s"),
        ("startup", "container=0s", "more than 0"),
        ("memory", "vm=3s", "takes a size such as 512m"),
        ("density", "vm=many", "takes a number such as 20"),
        ("isolation", "vm=1", "yes and no"),
    ],
)
def test_a_prediction_that_makes_no_sense_is_refused_before_anything_starts(
    name: str, word: str, message: str
) -> None:
    with pytest.raises(OptionError, match=message):
        measure(name, predict=[word])


def test_how_far_off() -> None:
    assert predict.off(1.0, 0.25) == "4 × too high"
    assert predict.off(0.25, 1.1) == "4.4 × too low"
    assert predict.off(1.0, 1.05) == "within 10 %"
    assert predict.off(1.0, 0.0) == "nothing to compare"
    assert predict.off(1.0, 5000.0) == "5,000 × too low"


def test_times_are_shown_in_the_unit_that_is_read_easily() -> None:
    shown = [quantity.show_seconds(x) for x in (34.0, 0.25, 0.0000034, 2.5e-7, 0.9999e-6)]
    assert shown == ["34 s", "250 ms", "3.4 µs", "250 ns", "1 µs"]


def bars(*values: float, mark: float | None = None) -> Bars:
    made = [Bar(f"<b{n}>", v, v * 0.9, v * 1.2, "container", mark) for n, v in enumerate(values)]
    return Bars("A & B", made, lambda v: f"{v:g} s")


def test_bars_of_text_have_the_lengths_of_their_values() -> None:
    one, two, legend = bars(10.0, 20.0).text().splitlines()
    assert 1.9 < two.count("#") / one.count("#") < 2.1
    assert legend.startswith("scale from 0 to")


def test_the_axis_is_logarithmic_where_a_bar_would_vanish_and_says_so() -> None:
    *drawn, legend = bars(0.001, 1.0, 10.0).text().splitlines()
    assert legend.startswith("logarithmic scale from 0.0001 s")
    assert all(line.count("#") > 3 for line in drawn)
    assert "logarithmic" not in bars(1.0, 10.0).text()
    assert "logarithmic" in bars(0.001, 1.0).html()


def test_the_prediction_is_marked() -> None:
    assert "P" in bars(1.0, 2.0, mark=1.5).text()
    assert "green: the prediction" in bars(1.0, 2.0, mark=1.5).html()


def test_the_picture_is_sound_and_has_its_numbers_beside_the_bars() -> None:
    html = bars(1.0, 2.0).html()
    table = ET.fromstring(html[: html.index("</table>") + 8])
    assert table.attrib["aria-label"] == "A & B"
    cells = [[cell.text for cell in row.iter("td")] for row in table.iter("tr")]
    assert cells == [["<b0>", None, "1 s"], ["<b1>", None, "2 s"]]
    assert "<svg" not in html  # Jupyter would take it apart in a notebook that it does not trust


def test_no_bars_no_plot() -> None:
    assert Bars("t", [], str).text() == Bars("t", [], str).html() == ""


def test_nothing_measured_has_no_plot_and_still_shows() -> None:
    empty = Measurement("cpu", "t", [Series("process", quantity.SECONDS, (), missing="no")], [])
    assert empty.plot().bars == []
    assert "no" in str(empty)


def test_the_answers_of_isolation() -> None:
    answers = [("sees <all>", {"process": True, "container": False})]
    found = Observations("isolation", "t", answers, {}, [], {"machine": "vagrant is missing"})
    row = next(line for line in str(found).splitlines() if line.startswith("sees"))
    assert row.split()[-3:] == ["yes", "no", "-"]
    assert "machine: vagrant is missing" in str(found)
    assert found["sees <all>"]["container"] is False
    assert "<all>" not in found._repr_mimebundle_()["text/html"]
    with pytest.raises(CourseError, match="nobody asked"):
        found["what"]


def test_alone_it_lists_the_experiments(ip: InteractiveShell) -> None:
    table = ip.run_line_magic("measure", "")
    assert [row["name"] for row in table] == list(NAMES)


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("startp", r"did you mean startup\?"),
        ("--predict vm=1s", "an experiment is missing"),
        ("startup container=1s", "too many arguments"),
        ("startup --repeat 0", "1 or more"),
        ("startup --repeat many", "whole number"),
    ],
)
def test_a_cell_that_makes_no_sense(ip: InteractiveShell, line: str, message: str) -> None:
    with pytest.raises(OptionError, match=message):
        ip.run_line_magic("measure", line)


def test_more_predictions_may_follow_the_flag(
    ip: InteractiveShell, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("course_magics.experiments.startup.run", lambda lab: result())
    found = ip.run_line_magic("measure", "startup --predict container=1s vm=30s --quick")
    assert found.predictions == {"container": 1.0, "machine": 30.0}
    assert found.command.endswith("measure startup --quick --predict container=1s vm=30s")
    assert capsys.readouterr().out == "written down: container 1 s, machine 30 s\n"


def test_an_interrupt_closes_the_lab_and_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupted(lab: lab.Lab) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("course_magics.experiments.cpu.run", interrupted)
    monkeypatch.setattr(lab.Lab, "close", lambda self, now=False: ["1 machine"] if now else [])
    with pytest.raises(Interrupted, match=r"not measured to its end; removed: 1 machine"):
        measure("cpu")


def test_a_fault_of_one_subject_is_noted_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def absent(self: lab.Lab, name: str) -> lab.Subject:
        if name == "process":
            return Fake(lambda script: "took 1.00 1.50\n")
        raise MachineError(f"no {name} here")

    monkeypatch.setattr(lab.Lab, "subject", absent)
    monkeypatch.setattr(lab.Lab, "how", lambda self, *words: [])
    found = measure("cpu", repeat=2)
    assert isinstance(found, Measurement)
    assert found["process"]["values"] == [0.5, 0.5]
    assert found["container"]["missing"] == "no container here"
    assert "no machine here" in str(found)


class Fake:
    name, emulated, note = "process", False, ""

    def __init__(self, run: Callable[[str], str]) -> None:
        self.run = run


def test_a_process_own_pages() -> None:
    assert memory.own_pages("1000 300 100 5 0 50 0") == 200 * 4096


def test_a_file_with_two_names_is_counted_once(tmp_path: Path) -> None:
    box, machine = tmp_path / "box", tmp_path / "machine"
    box.mkdir()
    machine.mkdir()
    (box / "disk").write_bytes(b"x" * 8192)
    (machine / "base").hardlink_to(box / "disk")
    (machine / "own").write_bytes(b"y" * 4096)
    known: set[tuple[int, int]] = set()
    assert disk.taken(box, known) == 8192
    assert disk.taken(machine, known) == 4096


@pytest.mark.parametrize(
    ("repeat", "took", "begun"),
    [(None, 12.0, [0, 1, 2, 3]), (None, 70.0, [0]), (5, 70.0, [0, 1, 2, 3, 4])],
)
def test_no_run_is_begun_that_the_minute_has_no_room_for(
    monkeypatch: pytest.MonkeyPatch, repeat: int | None, took: float, begun: list[int]
) -> None:
    """Runs of so many seconds, by a clock of the test's; `--repeat` takes all."""
    now = [100.0]
    monkeypatch.setattr(lab, "clock", lambda: now[0])
    monkeypatch.setattr(lab.engine, "current", lambda: (_ for _ in ()).throw(MachineError("none")))
    place = lab.Lab(repeat=repeat)
    place.expect(5)
    found = []
    for n in place.times(place.runs(5, 5), "process: run"):
        found.append(n)
        now[0] += took
    place.close()
    assert found == begun
    assert ("--repeat N takes its time" in str(place.how("5 runs"))) == (repeat is None)
