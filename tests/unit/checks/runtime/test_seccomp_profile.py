"""A seccomp profile as it is written, read again, and refused where it is another's."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from scripts.catalog import catalog
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Image
from scripts.catalog.runtime_needs import Runtime
from scripts.checks.runtime import seccomp_profile, system_call_names
from scripts.common.errors import DiskError, SutraError
from tests.conftest import ROOT

OWN = [image for image in catalog.load(ROOT / "images.yaml").images if image.runtime.seccomp]
TEXT = """\
{
  "defaultAction": "SCMP_ACT_ERRNO",
  "defaultErrnoRet": 38,
  "syscalls": [
    {
      "names": [
        "close",
        "read"
      ],
      "action": "SCMP_ACT_ALLOW"
    },
    {
      "names": [
        "clone"
      ],
      "action": "SCMP_ACT_ALLOW",
      "args": [
        {
          "index": 0,
          "value": 2114060288,
          "op": "SCMP_CMP_MASKED_EQ",
          "valueTwo": 0
        }
      ]
    }
  ]
}
"""
NOT_OURS = "FILE: not a profile as `make seccomp` writes it"
RESTORE = "`git checkout FILE` restores it"


def image(file: Path) -> Image:
    return Image("api", Budget(1, 1), runtime=Runtime(seccomp=str(file)))


def refused(file: Path) -> tuple[str, str]:
    with pytest.raises(SutraError) as caught:
        seccomp_profile.names_in(image(file))
    return caught.value.message.replace(f"{file}", "FILE"), caught.value.tip.replace(
        f"{file}", "FILE"
    )


def test_a_profile_is_the_same_bytes_for_the_same_calls(tmp_path: Path) -> None:
    assert seccomp_profile.text(["read", "clone", "close"]) == TEXT
    assert seccomp_profile.text({"clone", "close", "read"}) == TEXT
    file = tmp_path / "new/seccomp.json"
    seccomp_profile.write(file, ["read", "clone", "close"])
    assert file.read_text() == TEXT
    assert seccomp_profile.names_in(image(file)) == {"read", "clone", "close"}


def test_a_socket_is_of_four_families() -> None:
    rows = seccomp_profile.rules(["socket"])
    assert [row["args"][0]["value"] for row in rows] == [1, 2, 10, 16]
    assert all(row["names"] == ["socket"] for row in rows)


def test_a_watched_service_may_do_what_is_allowed_and_all_else_is_reported(tmp_path: Path) -> None:
    profile = json.loads(seccomp_profile.watching(["mkdir", "socket"], tmp_path))
    assert profile["listenerPath"] == str(tmp_path)
    assert profile["defaultAction"] == "SCMP_ACT_ERRNO"
    *rules, reported = profile["syscalls"]
    allowed = system_call_names.allowed(()) | {"mkdir", "socket"}
    assert rules == seccomp_profile.rules(allowed)
    assert reported["action"] == "SCMP_ACT_NOTIFY"
    names = set(reported["names"])
    # runc refuses to report write, and its own threads need futex before anybody listens; clone3
    # has to be missing, so that clone is called
    assert not names & {"write", "futex", "clone3", "mount"}
    assert names | allowed | system_call_names.REFUSED == system_call_names.all_names()


def test_a_profile_that_is_not_there_is_one_line(tmp_path: Path) -> None:
    assert refused(tmp_path / "seccomp.json") == (
        "FILE: no such file",
        "`make seccomp IMAGE=api` writes it",
    )
    assert refused(tmp_path) == ("FILE: cannot be read: Is a directory", "`ls -l FILE`")


def test_an_image_without_one_has_a_tip_with_the_key() -> None:
    with pytest.raises(SutraError) as caught:
        seccomp_profile.file_of(Image("api", Budget(1, 1)))
    assert (caught.value.message, caught.value.tip) == (
        "images.yaml: images.api.runtime.seccomp: missing",
        "name the file that gets the profile, such as "
        '"runtime: {seccomp: packages/api/seccomp.json}"',
    )


@pytest.mark.parametrize(
    ("text", "message", "tip"),
    [
        (TEXT.replace("read", "mount"), 'FILE: no service may call "mount"', "remove it there"),
        (TEXT.replace("read", "reed"), 'FILE: no such system call "reed"', "remove it there"),
        (TEXT.replace("SCMP_ACT_ERRNO", "SCMP_ACT_ALLOW"), NOT_OURS, RESTORE),
        (TEXT.replace("2114060288", "0"), NOT_OURS, RESTORE),
        (TEXT.replace('"read"', '7, "read"'), NOT_OURS, RESTORE),
        ("[]", NOT_OURS, RESTORE),
        ('{"syscalls": 1}', NOT_OURS, RESTORE),
        (
            "{",
            "FILE: not JSON: Expecting property name enclosed in double quotes: "
            "line 1 column 2 (char 1)",
            RESTORE,
        ),
    ],
)
def test_another_profile_is_refused(tmp_path: Path, text: str, message: str, tip: str) -> None:
    """A hand may add and remove names; a rule of another kind would not be held by any check."""
    file = tmp_path / "seccomp.json"
    file.write_text(text)
    assert refused(file) == (message, tip)


def test_one_that_is_nested_too_deep_or_no_text_is_one_line(tmp_path: Path) -> None:
    file = tmp_path / "seccomp.json"
    file.write_text("[" * 100_000)
    assert refused(file)[0].startswith("FILE: not JSON: ")
    file.write_bytes(b"\xff")
    assert refused(file)[0].startswith("FILE: not JSON: ")


def test_a_disk_that_takes_nothing_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "folder").write_text("")
    with pytest.raises(DiskError) as caught:
        seccomp_profile.write(tmp_path / "folder/seccomp.json", ["read"])
    assert caught.value.message == (
        f'seccomp: cannot write "{tmp_path}/folder/seccomp.json": File exists'
    )


def test_every_service_has_one_beside_its_sources() -> None:
    assert [own.name for own in OWN] == ["sutra-api", "sutra-hybrid", "sutra-storage-server"]


@pytest.mark.parametrize("own", OWN, ids=lambda own: own.name)
def test_a_services_own_has_what_all_need_and_nothing_of_an_administrator(
    own: Image, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    names = seccomp_profile.names_in(own)
    assert names == system_call_names.allowed(names)
    file = seccomp_profile.file_of(own)
    assert file.read_text() == seccomp_profile.text(names)
    # the figures of docs/seccomp.md: what Docker's own profile allows is 305
    figures = {"sutra-api": 125, "sutra-hybrid": 130, "sutra-storage-server": 133}
    assert len(names) == figures[own.name]
