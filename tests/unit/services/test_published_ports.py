"""Ports of a compose file, in every form that compose takes."""

from __future__ import annotations

import pytest

from scripts.common.errors import SutraError
from scripts.services import published_ports, service_parts
from scripts.services.shared_files import COMPOSE
from tests.conftest import ROOT

SERVICE = """
services:
  one:
    image: x
    ports:
      - {port}
"""


@pytest.mark.parametrize(
    ("port", "ports"),
    [
        ("8010", {8010}),
        ('"8010"', {8010}),
        ('"8010:80"', {80, 8010}),
        ("127.0.0.1:8010:80", {80, 8010}),
        ('"[::1]:8010:80"', {80, 8010}),
        ('"8010:80/udp"', {80, 8010}),
        ('"127.0.0.1::80"', {80}),
        ('"8010-8012:90-92"', {90, 91, 92, 8010, 8011, 8012}),
        ('"${PORT:-8010}:80"', {80, 8010}),
        ('"${PORT-8010}:80"', {80, 8010}),
        ('"${PORT}:80"', {80}),
        ('"${BIND:-127.0.0.1}:${PORT:-8010}:80"', {80, 8010}),
        ("{target: 80, published: 8010}", {80, 8010}),
        ('{target: 80, published: "${PORT:-8010}", protocol: tcp, mode: host}', {80, 8010}),
        ('{target: 80, published: "8010-8011"}', {80, 8010, 8011}),
        ("{target: 80}", {80}),
    ],
)
def test_a_port_in_each_of_its_forms(port: str, ports: set[int]) -> None:
    assert published_ports.of("a.yml", SERVICE.format(port=port)) == ports


def test_exposed_ports_are_taken_too() -> None:
    text = "services:\n  one: {expose: ['9000', 9001]}\n  two: {image: x}\n  three:\n"
    assert published_ports.of("a.yml", text) == {9000, 9001}


@pytest.mark.parametrize(
    ("first", "second", "ports"),
    [
        ('"8010:80"', '"8010:90"', {8010}),
        ('"8010-8012:80-82"', "{target: 1, published: 8011}", {8011}),
        ('"127.0.0.1:${PORT:-8010}:80"', "{target: 1, published: '8010'}", {8010}),
        # ports of containers, and those that the engine chooses
        ('"8010:80"', '"8011:80"', set()),
        ('"8010:80"', "8010", set()),
        ('"127.0.0.1::8010"', '"8010:1"', set()),
        ("{target: 8010}", '"8010:1"', set()),
    ],
)
def test_a_port_of_the_host_that_two_services_publish(
    first: str, second: str, ports: set[int]
) -> None:
    text = f"{SERVICE.format(port=first)}  two:\n    ports: [{second}, {second}]\n"
    shared = published_ports.shared("a.yml", text)
    assert set(shared) == {(port, "two", "one") for port in ports}


@pytest.mark.parametrize(
    "text",
    ["", "a: 1\n", "services:\n", "- a\n", "services: [a]\n", "services: {a: b, c: {ports: d}}\n"],
)
def test_a_file_without_services_has_none(text: str) -> None:
    assert published_ports.of("a.yml", text) == set()


def test_what_is_not_yaml_is_one_line() -> None:
    with pytest.raises(SutraError) as caught:
        published_ports.of("a.yml", "services: [\n")
    assert caught.value.message.startswith("a.yml: not YAML: line 2: ")
    assert "\n" not in caught.value.message
    assert caught.value.tip == "`docker compose config` reads a.yml"


def test_a_dockerfile_exposes_several_ports() -> None:
    text = "FROM x\nEXPOSE 8000 9000/udp $PORT\n# EXPOSE 1\nEXPOSE  8001\n"
    assert service_parts.exposed(text) == [8000, 9000, 8001]


def test_the_product_has_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(ROOT)
    assert {8000, 8001} <= published_ports.of(COMPOSE, (ROOT / COMPOSE).read_text())
    assert service_parts.ports()[8000] == COMPOSE
