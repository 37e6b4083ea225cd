"""The web server of the systemd unit behind the nginx of the guide."""

import re
import shlex
import shutil
import ssl
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from runs.lifecycle import apikeys
from tests.support.instance import ROOT
from tests.support.postgres import free_port
from tests.support.waiting import eventually

pytestmark = [pytest.mark.acceptance, pytest.mark.once]
DEPLOY = ROOT / "examples" / "deploy"
HOST = "runs.example.com"
REST = """
daemon off;
pid {home}/nginx.pid;
error_log {home}/nginx.log;
events {{ }}
http {{
  access_log off;
  client_body_temp_path {home}/body;
  proxy_temp_path {home}/proxy;
  fastcgi_temp_path {home}/fastcgi;
  uwsgi_temp_path {home}/uwsgi;
  scgi_temp_path {home}/scgi;
  include {home}/site.conf;
}}
"""


@pytest.fixture
def nginx(tmp_path):
    """Port of https and of http, and of the web server behind."""
    program = shutil.which("nginx", path="/usr/sbin:/usr/local/sbin:/usr/bin")
    if program is None or shutil.which("openssl") is None:
        pytest.skip("no nginx or openssl; on Debian: apt-get install nginx-light openssl")
    certify(tmp_path)
    tls, plain, behind = free_port(), free_port(), free_port()
    text = (DEPLOY / "nginx.conf").read_text()
    for before, after in {
        "/etc/ssl/certs/runs.example.com.pem": tmp_path / "certificate",
        "/etc/ssl/private/runs.example.com.key": tmp_path / "key",
        "listen 443 ": f"listen 127.0.0.1:{tls} ",
        "listen 80;": f"listen 127.0.0.1:{plain};",
        "127.0.0.1:8765": f"127.0.0.1:{behind}",
    }.items():
        assert before in text
        text = text.replace(before, str(after))
    (tmp_path / "site.conf").write_text(re.sub(r"^\s*listen \[::\].*\n", "", text, flags=re.M))
    (tmp_path / "nginx.conf").write_text(REST.format(home=tmp_path))
    command = [program, "-p", str(tmp_path), "-c", str(tmp_path / "nginx.conf")]
    command += ["-e", str(tmp_path / "nginx.log")]
    tested = subprocess.run([*command, "-t"], check=False, capture_output=True, text=True)
    assert tested.returncode == 0, tested.stderr
    assert "[warn]" not in tested.stderr
    process = subprocess.Popen(command)
    yield tls, plain, behind
    process.terminate()
    process.wait(10)


def certify(home):
    subprocess.run(
        [
            *("openssl", "req", "-x509", "-newkey", "ec", "-nodes", "-days", "2"),
            *("-pkeyopt", "ec_paramgen_curve:prime256v1", "-subj", f"/CN={HOST}"),
            *("-keyout", home / "key", "-out", home / "certificate"),
        ],
        check=True,
        capture_output=True,
    )


@pytest.fixture
def web(site, nginx):
    """As the unit starts it, in production."""
    *_, behind = nginx
    unit = (DEPLOY / "trackside-web.service").read_text().replace("\\\n", " ")
    _, *words = shlex.split(re.search(r"^ExecStart=(.*)$", unit, re.M)[1])
    words = [str(behind) if word == "8765" else word for word in words]
    words[words.index("--workers") + 1] = "1"
    variables = {
        "TRACKSIDE_ENVIRONMENT_KIND": "prod",
        "TRACKSIDE_PROCESS": "web",
        "ALLOWED_HOSTS": HOST,
        "TRACKSIDE_URL": f"https://{HOST}",
        "PYTHONPATH": str(ROOT),
    }
    with (Path(site.home) / "web.log").open("w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", *words],
            env=site.instance.environment | variables,
            cwd=site.home,
            stdout=log,
            stderr=log,
        )
    yield process
    process.terminate()
    process.wait(15)


def test_it_passes_on_what_it_should(site, nginx, web):
    tls, plain, _ = nginx
    trusted = ssl.create_default_context(cafile=str(site.home / "certificate"))
    trusted.check_hostname = False
    with httpx.Client(verify=trusted, timeout=30, headers={"host": HOST}) as client:
        eventually(
            lambda: client.get(f"https://127.0.0.1:{tls}/health/ready").is_success, within=30
        )
        moved = client.get(f"http://127.0.0.1:{plain}/runs")
        assert (moved.status_code, moved.headers["location"]) == (301, f"https://{HOST}/runs")
        # it is believed that this came by https, whatever the client says
        found = client.get(
            f"https://127.0.0.1:{tls}/api/v1/runs", headers={"x-forwarded-proto": "http"}
        )
        assert found.status_code == 401
        _, key = apikeys.create("behind nginx", actor="cli:tests")
        made = client.post(
            f"https://127.0.0.1:{tls}/api/v1/tasks/echo/trigger",
            headers={"authorization": f"Bearer {key}"},
            json={"payload": "x" * 2_900_000},
        )
        assert made.status_code == 200, made.text
