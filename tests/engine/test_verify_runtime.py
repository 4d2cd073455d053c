"""Every runtime check on the real engine: a service that passes it, and one that fails it."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import docker
import pytest

from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.runtime_needs import Runtime
from scripts.checks.runtime import (
    seccomp_profile,
    seccomp_recording,
    service,
    system_call_names,
)
from scripts.checks.runtime import verify as verify_runtime
from scripts.common.check_result import CheckResult
from scripts.common.errors import SutraError
from scripts.engine import images, sandbox
from tests.support import services
from tests.support.results import flat

# a health check that takes more processor time than the whole start
SLOW_CHECK = (
    'HEALTHCHECK CMD ["python3", "-c", "import time\\nwhile time.process_time() < 1.5: pass"]',
)
# a health check that takes two seconds twice, and then says yes if none has met another
ALONE = """
import os, sys, time
met = "/dev/shm/met"
try:
    os.mkdir("/dev/shm/here")
except FileExistsError:
    open(met, "w")
    sys.exit(1)
done = [name for name in os.listdir("/dev/shm") if name.startswith("done")]
if len(done) < 2:
    time.sleep(2)
open(f"/dev/shm/done{len(done)}", "w")
os.rmdir("/dev/shm/here")
sys.exit(len(done) < 2 or os.path.exists(met))
"""
GENEROUS = Budget(1, 1, ready=60_000)
API = Image("api", GENEROUS)
Make = Callable[..., str]
NO_PORT = (
    "images.yaml: images.api.budget.start-cpu: not measured: "
    "no EXPOSE in the image says where it listens"
)


@pytest.fixture(scope="module")
def base(production: None) -> None:
    """The Python base exists. It is not built here, as another worker may be at it."""


@pytest.fixture
def make(client: docker.DockerClient, base: None) -> Iterator[Make]:
    """Return a function that makes a service's image; all are removed afterwards."""
    with ExitStack() as stack:
        yield lambda *words: stack.enter_context(services.image(client, *words))


@pytest.fixture(autouse=True)
def _nothing_is_left(client: docker.DockerClient) -> Iterator[None]:
    yield
    mine: dict[str, str | list[str] | bool] = {"label": f"{sandbox.LABEL}={sandbox.RUN}"}
    assert client.containers.list(all=True, filters=mine) == []
    assert client.networks.list(filters=dict(mine)) == []


def verify(
    client: docker.DockerClient,
    reference: str,
    image: Image = API,
    *more: Image,
    others: dict[str, str] | None = None,
) -> dict[str, CheckResult]:
    promises = Catalog(Path("images.yaml"), (image, *more), Budget(1, 1))
    results = verify_runtime.verify_one(client, promises, image, reference, others)
    return {result.name: result for result in flat(results)}


def figure(result: CheckResult) -> int:
    assert result.actual is not None
    return result.actual


def timeless(detail: str) -> str:
    return re.sub(r"\d+\.\d\d s", "N s", detail)


def test_a_good_service_passes_every_check(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("good"))
    assert list(results) == ["ready", "memory", "stop", "start-cpu", "writes"]
    assert [result.detail for result in results.values()] == ["", "", "", NO_PORT, ""]
    assert all(result.ok for result in results.values())
    assert results["ready"].limit == 60_000
    assert 0 < figure(results["ready"]) <= 60_000
    assert 1_000_000 < figure(results["memory"]) < 100_000_000
    assert results["stop"].unit == "ms"


def test_it_is_started_without_privileges_on_a_root_that_is_read_only(
    client: docker.DockerClient, make: Make
) -> None:
    """The service's message shows the second start, whose root is writable."""
    results = verify(client, make("gains"))
    assert results["ready"].ok
    assert "root is writable" in results["writes"].detail


def test_a_service_that_is_never_healthy(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("never"), Image("api", Budget(1, 1, ready=300)))
    assert list(results) == ["ready"]
    assert not results["ready"].ok
    assert figure(results["ready"]) >= 900
    assert timeless(results["ready"].detail) == (
        'images.yaml: images.api.budget.ready: not healthy after "N s", '
        "health check exited with 1, it said nothing"
    )


def test_a_service_that_exits_at_once(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("exits"))
    assert list(results) == ["ready"]
    assert results["ready"].detail == (
        'images.yaml: images.api.budget.ready: ended with "3", '
        'last words "reading settings | no settings\ufffd[31m"'
    )


def test_a_missing_command(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("good", 'CMD ["serve"]'))
    assert list(results) == ["ready"]
    assert results["ready"].detail.startswith(
        'images.yaml: images.api.budget.ready: cannot be started "'
    )
    assert '"serve": executable file not found in $PATH' in results["ready"].detail


def test_a_missing_health_check(client: docker.DockerClient, make: Make) -> None:
    image = Image("api", Budget(1, 1, ready=200))
    results = verify(client, make("good", 'HEALTHCHECK CMD ["ask"]'), image)
    assert "health check cannot be run: " in results["ready"].detail
    assert '"ask": executable file not found' in results["ready"].detail


def test_a_health_check_that_hangs_is_not_healthy(client: docker.DockerClient, make: Make) -> None:
    hanging = 'HEALTHCHECK --timeout=1s CMD ["python3", "-c", "import time; time.sleep(60)"]'
    results = verify(client, make("good", hanging), Image("api", Budget(1, 1, ready=300)))
    assert "health check exited with 124" in results["ready"].detail


def test_a_health_check_that_is_late_is_alone(client: docker.DockerClient, make: Make) -> None:
    """It is late twice and finds out whether it is alone; the engine asks nothing beside it."""
    alone = [f"HEALTHCHECK --interval=1s --timeout=1s CMD {json.dumps(['python3', '-c', ALONE])}"]
    results = verify(client, make("good", *alone), Image("api", Budget(1, 1, ready=60_000)))
    assert results["ready"].detail == ""
    assert figure(results["ready"]) >= 4_000


def test_a_service_that_ignores_sigterm(
    client: docker.DockerClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "STOP_MS", 1000)
    results = verify(client, make("deaf"))
    assert not results["stop"].ok
    assert figure(results["stop"]) >= 1000
    assert timeless(results["stop"].detail) == (
        'images.yaml: images.api: still running "N s" after SIGTERM, it said nothing'
    )
    assert [name for name, result in results.items() if not result.ok] == ["stop"]


def test_a_service_that_ends_uncleanly(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("unclean"))
    assert not results["stop"].ok
    assert timeless(results["stop"].detail) == (
        'images.yaml: images.api: ended with "5" N s after SIGTERM, it said nothing'
    )


def test_a_service_that_tries_to_write_outside_its_places(
    client: docker.DockerClient, make: Make
) -> None:
    results = verify(client, make("tries"))
    assert results["ready"].ok
    assert results["writes"] == CheckResult(
        "api",
        "writes",
        False,
        2,
        0,
        'images.yaml: images.api.runtime.writes: written outside them "/srv/.lock" (+1 more)',
        "findings",
    )


def test_a_service_that_writes_when_it_ends(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("saves"))
    assert [name for name, result in results.items() if not result.ok] == ["writes"]
    assert results["writes"].detail == (
        'images.yaml: images.api.runtime.writes: written outside them "/srv/state"'
    )


def test_a_declared_place_may_be_written(client: docker.DockerClient, make: Make) -> None:
    image = Image("api", GENEROUS, runtime=Runtime(writes=("/tmp", "/data")))
    results = verify(client, make("tries"), image)
    assert results["writes"].detail == (
        'images.yaml: images.api.runtime.writes: written outside them "/srv/.lock"'
    )
    assert all(result.ok for result in verify(client, make("stores"), image).values())


def test_a_declared_place_need_not_be_in_the_image(client: docker.DockerClient, make: Make) -> None:
    image = Image("api", GENEROUS, runtime=Runtime(writes=("/run/deep/place",)))
    assert verify(client, make("good"), image)["writes"].ok


def test_a_place_that_is_not_declared_is_read_only(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("stores"))
    assert results["ready"].detail.endswith("Read-only file system: '/data/kept'\"")


def test_a_volume_of_the_image_must_be_declared(client: docker.DockerClient, make: Make) -> None:
    reference = make("stores", "VOLUME /data")
    assert verify(client, reference)["writes"].detail == (
        'images.yaml: images.api.runtime.writes: written outside them "/data (a volume)"'
    )
    declared = Image("api", GENEROUS, runtime=Runtime(writes=("/data",)))
    assert all(result.ok for result in verify(client, reference, declared).values())


def test_a_service_that_needs_a_capability(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("changes-owner", "USER 0"))
    assert list(results) == ["ready"]
    assert 'ended with "1", last words ' in results["ready"].detail
    assert results["ready"].detail.endswith("Operation not permitted: '/dev/shm'\"")


def test_memory_over_its_budget(client: docker.DockerClient, make: Make) -> None:
    image = Image("api", Budget(1, 1, ready=60_000, memory=100_000))
    results = verify(client, make("good"), image)
    assert not results["memory"].ok
    assert re.fullmatch(
        r'images.yaml: images.api.budget.memory: over budget "\d+\.\d MB", '
        r"0.1 MB allowed \(\+\d+ bytes\)",
        results["memory"].detail,
    )


# ---- what a start costs ------------------------------------------------------


def test_the_processor_time_of_a_start_is_counted(client: docker.DockerClient, make: Make) -> None:
    """Half a second of it is the service's own work; its health checks are not counted."""
    results = verify(client, make("listens", "EXPOSE 9000", *SLOW_CHECK))
    assert all(result.ok for result in results.values())
    assert (results["start-cpu"].limit, results["start-cpu"].unit) == (None, "ms")
    assert 500 <= (results["start-cpu"].actual or 0) < 1_500
    assert "ready-at-quarter" not in results


def test_a_start_at_a_quarter_of_a_processor(client: docker.DockerClient, make: Make) -> None:
    reference = make("listens", "EXPOSE 9000", *SLOW_CHECK)
    budget = Budget(1, 1, ready=60_000, start_cpu=5_000, ready_at_quarter=30_000)
    results = verify(client, reference, Image("api", budget))
    assert all(result.ok for result in results.values())
    assert 2_000 <= (results["ready-at-quarter"].actual or 0) <= 30_000


def test_a_start_that_costs_too_much(client: docker.DockerClient, make: Make) -> None:
    budget = Budget(1, 1, ready=60_000, start_cpu=400, ready_at_quarter=1_000)
    results = verify(client, make("listens", "EXPOSE 9000"), Image("api", budget))
    for name, limit in (("start-cpu", "0.40 s"), ("ready-at-quarter", "1.00 s")):
        assert not results[name].ok
        assert re.fullmatch(
            rf'images.yaml: images.api.budget.{name}: over budget "\d+\.\d\d s", '
            rf"{limit} allowed \(\+\d+ ms\)",
            results[name].detail,
        )


def test_a_port_that_nothing_listens_on(client: docker.DockerClient, make: Make) -> None:
    image = Image("api", Budget(1, 1, ready=700))
    result = verify(client, make("good", "EXPOSE 9000"), image)["start-cpu"]
    assert (result.ok, result.actual) == (False, None)
    assert result.detail == (
        "images.yaml: images.api.budget.start-cpu: not healthy, "
        "nothing listens on port 9000, it said nothing"
    )


# ---- system calls -------------------------------------------------------------


def recorded(client: docker.DockerClient, reference: str, image: Image) -> frozenset[str]:
    promises = Catalog(Path("images.yaml"), (image,), Budget(1, 1))
    details = images.inspect(client, reference)
    assert details
    return seccomp_recording.record(client, promises, image, details).names


def test_a_service_runs_under_what_was_recorded_of_it(
    client: docker.DockerClient, make: Make, tmp_path: Path
) -> None:
    """A call that it makes later is refused, is a finding, and leaves the service as it was."""
    file = tmp_path / "seccomp.json"
    image = Image("api", GENEROUS, runtime=Runtime(seccomp=str(file)))
    seen = recorded(client, make("good"), image)
    assert "ioctl" in seen
    assert not {"link", "linkat", "mount"} & seen
    seccomp_profile.write(file, system_call_names.allowed(seen))
    results = verify(client, make("good"), image)
    assert list(results)[-2:] == ["writes", "seccomp"]
    assert all(result.ok for result in results.values())
    assert results["seccomp"] == CheckResult("api", "seccomp", True, 0, 0, "", "findings")
    results = verify(client, make("links"), image)
    assert [name for name, result in results.items() if not result.ok] == ["seccomp"]
    assert re.fullmatch(
        rf'images.yaml: images.api.runtime.seccomp: not in {file} "link(at)?", '
        "which `make seccomp IMAGE=api` adds",
        results["seccomp"].detail,
    )


def test_a_profile_under_which_a_service_cannot_start(
    client: docker.DockerClient, make: Make, tmp_path: Path
) -> None:
    file = tmp_path / "seccomp.json"
    seccomp_profile.write(file, system_call_names.allowed(()) - {"execve"})
    results = verify(
        client, make("good"), Image("api", GENEROUS, runtime=Runtime(seccomp=str(file)))
    )
    assert list(results) == ["ready"]
    assert not results["ready"].ok


def test_a_service_that_does_not_start_cannot_be_recorded(
    client: docker.DockerClient, make: Make, tmp_path: Path
) -> None:
    image = Image("api", GENEROUS, runtime=Runtime(seccomp=str(tmp_path / "seccomp.json")))
    with pytest.raises(SutraError) as caught:
        recorded(client, make("exits"), image)
    assert (caught.value.message, caught.value.tip) == (
        'seccomp: api: ended with "3", last words "reading settings | no settings\ufffd[31m"',
        "`make verify-runtime` shows whether the service works",
    )
    with pytest.raises(SutraError, match='no HEALTHCHECK in the image "api"'):
        recorded(client, services.BASE, image)


# ---- modules ----------------------------------------------------------------


def test_a_module_that_is_missing(
    client: docker.DockerClient, make: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    reference = make("good", 'ENTRYPOINT ["/usr/bin/env"]')
    monkeypatch.chdir(tmp_path)
    manifest = tmp_path / "packages/api/cleanup.yaml"
    manifest.parent.mkdir(parents=True)
    manifest.write_text("prove: {import: [json, not_there, nor.there]}\n")
    results = verify(client, reference)
    assert results["modules"] == CheckResult(
        "api",
        "modules",
        False,
        2,
        0,
        "images.yaml: images.api: modules do not load "
        "\"not_there: ModuleNotFoundError: No module named 'not_there' | "
        "nor.there: ModuleNotFoundError: No module named 'nor'\" (exit code 1)",
        "findings",
    )
    manifest.write_text("prove: {import: [json, ssl]}\n")
    assert verify(client, reference)["modules"] == CheckResult(
        "api", "modules", True, 0, 0, "", "findings"
    )


# ---- libraries --------------------------------------------------------------


def libraries(
    client: docker.DockerClient, reference: str, folder: Path, *names: str
) -> CheckResult:
    image = Image("api", GENEROUS, runtime=Runtime(loads=names))
    promises = Catalog(Path("images.yaml"), (image,), Budget(1, 1))
    identity = str(client.images.get(reference).id)
    (result,) = flat(verify_runtime._libraries(client, promises, image, identity, folder))
    return result


def test_libraries_load_with_all_that_they_need(
    client: docker.DockerClient, base: None, tmp_path: Path
) -> None:
    assert libraries(client, services.BASE, tmp_path, "libc.so.6", "libssl.so.3") == CheckResult(
        "api", "libraries", True, 0, 0, "", "findings"
    )


def test_a_missing_library(client: docker.DockerClient, base: None, tmp_path: Path) -> None:
    assert libraries(client, services.BASE, tmp_path, "libc.so.6", "libno.so.1") == CheckResult(
        "api",
        "libraries",
        False,
        1,
        0,
        "images.yaml: images.api.runtime.loads: does not load "
        '"libno.so.1: no such library in the image"',
        "findings",
    )


def test_a_library_that_needs_a_missing_one(
    client: docker.DockerClient, base: None, tmp_path: Path
) -> None:
    """A copy of libssl that needs another libcrypto."""
    with services.patched(
        client, "usr/lib/x86_64-linux-gnu/libssl.so.3", b"libcrypto.so.3", b"libcrypta.so.3"
    ) as reference:
        result = libraries(client, reference, tmp_path, "libssl.so.3")
    assert result.detail == (
        "images.yaml: images.api.runtime.loads: does not load "
        '"libssl.so.3: /usr/lib/x86_64-linux-gnu/libssl.so.3: error while loading shared '
        'libraries: libcrypta.so.3: cannot open shared object file: No such file or directory"'
    )


# ---- what is needed beside --------------------------------------------------


def test_a_service_reaches_what_it_needs_and_nothing_else(
    client: docker.DockerClient, make: Make
) -> None:
    store = Image("store-server", GENEROUS, runtime=Runtime(alias="store"))
    api = Image("api", GENEROUS, runtime=Runtime(needs=("store-server",)))
    beside = {"store-server": make("good")}
    results = verify(client, make("calls"), api, store, others=beside)
    assert [result.detail for result in results.values()] == ["", "", "", NO_PORT, ""]


def test_without_what_it_needs_it_is_not_healthy(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("calls"))
    assert 'ended with "1"' in results["ready"].detail


def test_a_need_that_is_not_healthy_is_named(client: docker.DockerClient, make: Make) -> None:
    store = Image("store", GENEROUS)
    api = Image("api", GENEROUS, runtime=Runtime(needs=("store",)))
    results = verify(client, make("good"), api, store, others={"store": make("exits")})
    assert [result.detail for result in results.values()] == [
        'images.yaml: images.api.budget.ready: it needs "store": ended with "3", '
        'last words "reading settings | no settings\ufffd[31m"'
    ]


def test_a_need_that_is_not_built_is_refused(client: docker.DockerClient, make: Make) -> None:
    api = Image("api", GENEROUS, runtime=Runtime(needs=("sutra-test-none",)))
    with pytest.raises(SutraError) as caught:
        verify(client, make("good"), api, Image("sutra-test-none", GENEROUS))
    assert caught.value.message == (
        'images.yaml: images.sutra-test-none: not built "sutra-test-none:prod"'
    )


# ---- promises that do not fit the image -------------------------------------


def test_a_health_check_without_a_budget_is_refused(
    client: docker.DockerClient, make: Make
) -> None:
    with pytest.raises(SutraError) as caught:
        verify(client, make("good"), Image("api", Budget(1, 1)))
    assert caught.value.message == (
        "images.yaml: images.api.budget.ready: missing, though the image has a HEALTHCHECK"
    )


def test_a_budget_without_a_health_check_fails(client: docker.DockerClient, make: Make) -> None:
    results = verify(client, make("good", "HEALTHCHECK NONE"))
    assert [result.detail for result in results.values()] == [
        'images.yaml: images.api.budget.ready: no HEALTHCHECK in the image "api"'
    ]


def test_a_missing_image_is_refused(client: docker.DockerClient) -> None:
    with pytest.raises(SutraError) as caught:
        verify(client, "sutra-test-none:1")
    assert caught.value.message == 'images.yaml: images.api: not built "sutra-test-none:1"'


def test_an_image_that_is_removed_meanwhile_is_reported(client: docker.DockerClient) -> None:
    with (
        pytest.raises(SutraError) as caught,
        sandbox.container(client, sandbox.Setup("sutra-test-none:1")),
    ):
        pass
    assert caught.value.message == 'engine: image no longer exists "sutra-test-none:1"'


def test_an_interrupt_leaves_nothing(
    client: docker.DockerClient, make: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(sandbox, "memory", interrupt)
    with pytest.raises(KeyboardInterrupt):
        verify(client, make("good"))
