"""A password in a variable of the notebook: it gets where it should, and is shown nowhere."""

from __future__ import annotations

import json
from pathlib import Path

import docker
import ipywidgets
import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

PASSWORD = "hunter2-xyzzy"
#: Cells that pass and cells that fail; NAME is the test's own.
CELLS = (
    "%container run --rm -e PW={pw} course/busybox true",
    "%container run --rm --env=PW={pw} -lA=$pw course/busybox sh -c 'test $PW = $pw'",
    "%container run -d --name NAME -ePW={pw} {opts} course/busybox sleep 60",
    "%container exec -e PW={pw} NAME sh -c 'test x{pw} = x$PW'",
    "%container exec NAME sh -c 'exit 3 # {pw}'",
    "%container run --rm -e PW={pw} --network no-such-net course/busybox true",
    "%container run --rm -e PW={pw} --memory={pw} course/busybox true",
    "%container run --rm --{pw} course/busybox true",
    "%container run --rm --x{pw} course/busybox true",
    "%container run --rm --network nosuch{pw} course/busybox true",
    "%container run --rm --cap-add {pw} course/busybox true",
    "%container run --rm --ulimit {pw} course/busybox true",
    "%container run --rm --name _{pw} -v '/:{pw}' course/busybox true",
    "%container run --rm -p {pw} course/busybox true",
    "%container run --rm --device /dev/{pw} course/busybox true",
    "%container run --rm --mount type=bind,source=/none/{pw},target=/x course/busybox true",
    "%container run --rm --log-driver no{pw}s course/busybox true",
    "%container run --rm --user no{pw} course/busybox true",
    "%container run --rm course/busybox {pw}",
    "%container run --rm course/busybox sh -c 'exit 3 # {pw}' --no-raise",
    "%container {pw}",
    "%container rm --force NAME",
    "%container volume create --label PW={pw} NAME",
    "%container volume rm NAME",
    "%container network create --label PW={pw} NAME",
    "%container network rm NAME",
    "%container service create --name NAME -e PW={pw} course/busybox sleep 60",
    "%container login -u me -p {pw} localhost:1",
    "%container build --build-arg PW={pw} {pw}",
    "%%dockerfile -t NAME --build-arg PW={pw} --label A={pw}\nFROM course/busybox\nARG PW\nENV A=1",
    "%%dockerfile --build-arg PW={pw}\nFROM course/busybox\nARG PW\nRUN exit 3",
    "%compose --profile {pw} ls --filter name={pw}",
    "%compose run -e PW={pw} web",
    "%%compose -p NAME config\nservices: {web: {image: course/busybox}}",
    "%compose -p NAME run -e PW={pw} --rm web sh -c 'exit 3 # {pw}'",
    "%compose -p NAME --env-file {pw} ps",
    "%compose -p NAME down",
    "%vagrant ssh -c 'echo {pw}' --dir box",
    "%vagrant ssh --sudo --command='echo {pw}' --dir box",
    "%measure startup a={pw}",
)


@pytest.mark.engine
def test_no_cell_shows_a_value(
    ip: InteractiveShell,
    name: str,
    api: docker.APIClient,
    composer: None,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "box").mkdir()
    (tmp_path / "box/Vagrantfile").write_text('Vagrant.configure("2") { |c| c.vm.box = "none" }\n')
    ip.user_ns.update(pw=PASSWORD, opts=["-e", f"OTHER={PASSWORD}"])
    made: list[ipywidgets.Widget] = []
    monkeypatch.setattr(ipywidgets.Widget, "_widget_construction_callback", made.append)
    shown = []
    for cell in CELLS:
        made.clear()
        with capture_output() as captured:
            result = ip.run_cell(cell.replace("NAME", name))
        if "--name NAME -ePW" in cell:
            result.raise_error()
            env = api.inspect_container(name)["Config"]["Env"]
            assert {f"PW={PASSWORD}", f"OTHER={PASSWORD}"} <= set(env)
        seen = [
            captured.stdout,
            captured.stderr,
            json.dumps([output.data for output in captured.outputs], default=str),
            repr(result.result),
            str(getattr(result.result, "_repr_html_", str)()),
            "\n".join(getattr(result.error_in_exec, "lines", list)()),
            json.dumps([w.get_state() for w in made], default=str),
        ]
        shown += [f"{cell}: {text}" for text in seen if PASSWORD in text.lower()]
    assert not shown, "\n\n".join(shown)
