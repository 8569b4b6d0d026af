"""Dockerfile, .dockerignore and compose.yaml name only what exists, and give no rights away."""

import os
import re
import subprocess
import sys

import pytest
from conftest import ROOT, names_of_settings

from app.health import Health, HealthServer
from telegram.heartbeat import Heartbeat

DOCKERFILE, COMPOSE, IGNORE = (
    (ROOT / name).read_text(encoding="utf-8") for name in ("Dockerfile", "compose.yaml", ".dockerignore")
)
STAGES = re.findall(r"^FROM (\S+) AS (\w+)$", DOCKERFILE, re.MULTILINE)
SET_BY_THE_IMAGE = {"MPLCONFIGDIR", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"}


def copied() -> list[str]:
    """Return what the images contain of this repository."""
    lines = re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE)
    return [name for line in lines for name in line.split()]


def test_the_copied_files_exist_and_are_not_ignored() -> None:
    assert len(copied()) > 5
    kept = set(re.findall(r"^!(\S+)$", IGNORE, re.MULTILINE))
    assert set(copied()) == kept
    for name in copied():
        assert list(ROOT.glob(name)), name


def test_the_bot_finds_everything_it_imports_and_reads() -> None:
    tools = {"sandbox", "bench", "tests", "docs"}
    packages = {path.parent.name for path in ROOT.glob("*/__init__.py")} - tools
    assert packages <= set(copied())
    assert {"*.py", "schema.sql", "migrations"} <= set(copied())


def test_the_stages_exist() -> None:
    names = {name for _, name in STAGES}
    assert {source for source, _ in STAGES} - {"${BASE}"} <= names
    assert set(re.findall(r"--from=(\w+)", DOCKERFILE)) <= names
    assert set(re.findall(r"target: (\w+)", COMPOSE)) == {"bot", "replica"} <= names


def test_the_python_of_the_image_is_supported() -> None:
    [version] = re.findall(r"^ARG BASE=python:3\.(\d+)-slim", DOCKERFILE, re.MULTILINE)
    assert int(version) >= 11


def test_only_settings_that_exist_are_set() -> None:
    in_image = [name for line in re.findall(r"^ENV (.+)$", DOCKERFILE, re.MULTILINE) for name in line.split()]
    names = {name.partition("=")[0] for name in in_image}
    assert names - SET_BY_THE_IMAGE <= names_of_settings()
    assert set(re.findall(r"\{([A-Z_]+): ", COMPOSE)) | {"REPLICA_URL"} <= names_of_settings()
    assert COMPOSE.count("env_file: .env\n") == 2


def test_the_database_is_in_the_volume() -> None:
    assert "VOLUME /data\n" in DOCKERFILE
    assert "DB_PATH=/data/notes.db\n" in DOCKERFILE
    assert COMPOSE.count('volumes: ["data:/data"]') == COMPOSE.count("{DB_PATH: /data/notes.db}") == 2


def test_the_containers_have_no_rights() -> None:
    users = re.findall(r"^USER (\S+)$", DOCKERFILE, re.MULTILINE)
    assert users == ["10001:10001"]
    for line in (
        "read_only: true",
        "cap_drop: [ALL]",
        'security_opt: ["no-new-privileges:true"]',
        "tmpfs: [/tmp]",
    ):
        assert COMPOSE.count(f"    {line}\n") == 2


def test_the_commands_exist() -> None:
    assert 'ENTRYPOINT ["/opt/venv/bin/python", "/app/bot.py"]\n' in DOCKERFILE
    config = re.findall(r'"-config", "/app/([\w.]+)"', DOCKERFILE)
    assert [f"deploy/{name}" for name in config] == ["deploy/litestream.yml"]
    assert re.search(r"^ENV HEALTH_PORT=\d+ ", DOCKERFILE, re.MULTILINE)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("host", ["", "127.0.0.1:"])
def test_the_health_is_checked_at_the_port_that_the_owner_sets(host: str) -> None:
    [check] = re.findall(r'"-c", "(.+)"\]', DOCKERFILE)
    heartbeat = Heartbeat()
    with HealthServer(Health(heartbeat, lambda: 0), ("127.0.0.1", 0)) as server:
        server.start()
        env = {**os.environ, "HEALTH_PORT": f"{host}{server.server_address[1]}", "NO_PROXY": "*"}

        def is_healthy() -> bool:
            return (
                subprocess.run([sys.executable, "-c", check], env=env, stderr=subprocess.DEVNULL).returncode == 0
            )

        assert not is_healthy()
        heartbeat.record_fetch()
        assert is_healthy()
        server.shutdown()


@pytest.mark.parametrize("page", ["hosting.md", "ru/hosting.md"])
def test_the_page_says_how_to_run_it(page: str) -> None:
    text = (ROOT / "docs" / page).read_text(encoding="utf-8")
    for command in re.findall(r"^# (docker compose .+?)  ", COMPOSE, re.MULTILINE):
        assert command in text
