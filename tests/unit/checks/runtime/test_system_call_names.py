"""Names of system calls: what a profile allows for those that were seen, and what never."""

from __future__ import annotations

import platform

import pytest

from scripts.checks.runtime import system_call_names
from scripts.checks.runtime.system_call_names import ALWAYS, KIN, REFUSED, RUNTIMES
from scripts.common.errors import SutraError

X86_64, ARM64 = 0xC000003E, 0xC00000B7


def test_a_number_has_the_name_of_its_processor() -> None:
    assert system_call_names.name_of(0, X86_64) == "read"
    assert system_call_names.name_of(0, ARM64) == "io_setup"
    assert system_call_names.name_of(9999, X86_64) == "call 9999"


def test_another_processor_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        system_call_names.name_of(0, 0x40000003)
    assert (caught.value.message, caught.value.tip) == (
        'seccomp: calls of another processor "0x40000003"',
        "they can be recorded on x86_64 and arm64",
    )


def test_every_name_of_ours_is_a_call_that_linux_has() -> None:
    ours = ALWAYS | RUNTIMES | REFUSED | {name for group in KIN for name in group}
    assert ours - system_call_names.all_names() == set()
    assert set() == (ALWAYS | RUNTIMES) & REFUSED
    assert all(len(group) > 1 and not group & REFUSED for group in KIN)


def test_what_was_seen_brings_its_kin_and_what_all_need() -> None:
    without = system_call_names.allowed(())
    assert without >= ALWAYS | RUNTIMES
    assert without == system_call_names.allowed(["read", "futex"])
    more = system_call_names.allowed(["mkdirat", "recvmmsg"])
    assert more - without == {"mkdir", "mkdirat", "recvfrom", "recvmmsg", "recvmsg"}


@pytest.mark.parametrize(
    "name", ["mount", "clone3", "io_uring_setup", "ptrace", "bpf", "call 9999"]
)
def test_what_no_service_may_call_is_not_allowed_though_it_was_seen(name: str) -> None:
    assert name not in system_call_names.allowed([name])


def test_this_machine_is_one_whose_calls_have_names() -> None:
    assert platform.machine() in ("x86_64", "aarch64")
