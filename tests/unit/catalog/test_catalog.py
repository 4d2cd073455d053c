from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from scripts.catalog import catalog
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.catalog.runtime_needs import Runtime
from scripts.common.errors import SutraError

ROOT = Path(__file__).resolve().parents[3]
GOOD = """\
release:
  budget: {installed: 60 MB, download: 20 MB}
images:
  sutra-base-python:
    budget: {installed: 50 MB, download: 15 MB}
    not_promoted_because: builders start from it
  sutra-api:
    budget: {installed: 1.5 MiB, download: 900 kB}
"""
RELEASE = "release: {budget: {installed: 6 MB, download: 2 MB}}\n"
NOT_A_SIZE = 'not a size such as "50 MB"'


def write(folder: Path, text: str) -> Path:
    file = folder / "images.yaml"
    file.write_text(text, encoding="utf-8")
    return file


def refusal(folder: Path, text: str) -> str:
    """Return the message for `text`, without the file's folder; the tip is checked here."""
    file = write(folder, text)
    with pytest.raises(SutraError) as caught:
        catalog.load(file)
    assert caught.value.tip == f"fix {file}, then run the same command again"
    return caught.value.message.replace(str(file), "images.yaml")


def small(api: str = "{budget: {installed: 5 MB, download: 1 MB}}", release: str = RELEASE) -> str:
    return f"{release}images:\n  sutra-api: {api}\n"


def test_a_good_file_becomes_dataclasses(tmp_path: Path) -> None:
    file = write(tmp_path, GOOD)
    assert catalog.load(file) == Catalog(
        file,
        (
            Image("sutra-base-python", Budget(50_000_000, 15_000_000), "builders start from it"),
            Image("sutra-api", Budget(1_572_864, 900_000), ""),
        ),
        Budget(60_000_000, 20_000_000),
    )


ALPINE = """\
release:
  budget: {installed: 9 MB, download: 8 MB, alpine: {installed: 11 MB, download: 10 MB}}
images:
  sutra-api:
    budget:
      installed: 5 MB
      download: 1 MB
      ready: 5 s
      fresh: 7 s
      alpine: {installed: 6 MB, download: 2 MB, because: a shell is in it, fresh: 8 s}
  sutra-storage: {budget: {installed: 3 MB, download: 1 MB}}
"""


def test_a_base_has_sizes_of_its_own(tmp_path: Path) -> None:
    file = write(tmp_path, ALPINE)
    default, alpine = (catalog.load(file, {"BASE": base}) for base in ("debian", "alpine"))
    ours = Budget(6_000_000, 2_000_000, "a shell is in it", ready=5000, fresh=8000, base="alpine")
    theirs = Budget(5_000_000, 1_000_000, ready=5000, fresh=7000)
    assert (alpine.find("sutra-api").budget, alpine.find("sutra-api").others) == (ours, (theirs,))
    assert (default.find("sutra-api").budget, default.find("sutra-api").others) == (theirs, (ours,))
    assert alpine.find("sutra-storage").budget == Budget(3_000_000, 1_000_000)
    assert alpine.release == Budget(11_000_000, 10_000_000, base="alpine")
    assert catalog.load(file, {}) == default, "without BASE it is Debian's"
    assert (ours.key, theirs.key) == ("budget.alpine", "budget")


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{installed: 6 MB}", "images.yaml: images.sutra-api.budget.alpine.download: missing"),
        (
            "{installed: 6 MB, download: 2 MB, ready: 5 s}",
            'images.yaml: images.sutra-api.budget.alpine: unknown key "ready"',
        ),
        (
            "{installed: 6 MB, download: 2 MB, fresh: 5 s}",
            "images.yaml: images.sutra-api.budget.alpine.fresh: "
            'of a service alone, and it has no ready: "5 s"',
        ),
        ("6 MB", 'images.yaml: images.sutra-api.budget.alpine: not a mapping "6 MB"'),
    ],
)
def test_a_bases_budget_is_sizes(tmp_path: Path, text: str, message: str) -> None:
    budget = f"{{budget: {{installed: 5 MB, download: 1 MB, alpine: {text}}}}}"
    assert refusal(tmp_path, small(budget)) == message


ARM64 = """\
release:
  budget: {installed: 9 MB, download: 8 MB, arm64: {installed: 7 MB, download: 6 MB}}
images:
  sutra-api:
    budget: {installed: 5 MB, download: 1 MB, ready: 5 s, memory: 9 MB,
             arm64: {installed: 4 MB, download: 2 MB, because: no AVX}}
    runtime: {needs: [sutra-storage]}
  sutra-storage: {budget: {installed: 3 MB, download: 1 MB, ready: 1 s}}
"""
BOTH = {"PLATFORMS": "linux/amd64,linux/arm64"}


@pytest.mark.usefixtures("amd64")
def test_each_platform_has_images_and_sizes_of_its_own(tmp_path: Path) -> None:
    both = catalog.load_platforms(write(tmp_path, ARM64), BOTH)
    api, storage, arm_api, arm_storage = both.images
    ours = Budget(5_000_000, 1_000_000, ready=5000, memory=9_000_000)
    theirs = Budget(4_000_000, 2_000_000, "no AVX", ready=5000, memory=9_000_000, base="arm64")
    assert (api.name, api.key, api.reference) == ("sutra-api", "sutra-api", "sutra-api:prod")
    assert (api.budget, api.others, api.runtime.needs) == (ours, (theirs,), ("sutra-storage",))
    assert (arm_api.name, arm_api.key) == ("arm64/sutra-api", "sutra-api")
    assert arm_api.reference == "arm64/sutra-api:prod"
    assert (arm_api.budget, arm_api.others) == (theirs, (ours,))
    assert arm_api.runtime.needs == ("arm64/sutra-storage",)
    assert (arm_storage.name, arm_storage.budget) == ("arm64/sutra-storage", storage.budget)
    assert theirs.key == "budget.arm64"


@pytest.mark.usefixtures("amd64")
def test_each_platform_is_a_release(tmp_path: Path) -> None:
    file = write(tmp_path, ARM64)
    both = catalog.load_platforms(file, BOTH)
    releases = {release.name: (release.budget, release.images) for release in both.releases}
    assert releases == {
        "release": (Budget(9_000_000, 8_000_000), both.images[:2]),
        "arm64/release": (Budget(7_000_000, 6_000_000, base="arm64"), both.images[2:]),
    }
    alone = catalog.load_platforms(file, {"PLATFORMS": "linux/arm64"})
    assert [(release.name, release.images) for release in alone.releases] == [
        ("arm64/release", both.images[2:])
    ]


@pytest.mark.usefixtures("amd64")
def test_without_platforms_the_catalogue_is_this_machines(tmp_path: Path) -> None:
    file = write(tmp_path, ARM64)
    own = catalog.load_platforms(file, {})
    assert own == catalog.load(file, BOTH) == catalog.load(file, {})
    assert [image.name for image in own.images] == ["sutra-api", "sutra-storage"]


def test_a_machine_of_the_other_architecture_has_its_budget(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("platform.machine", lambda: "aarch64")
    own = catalog.load(write(tmp_path, ARM64), {})
    assert (own.find("sutra-api").budget.key, own.release.key) == ("budget.arm64",) * 2


@pytest.mark.usefixtures("amd64")
def test_an_image_is_found_by_its_key_too(tmp_path: Path) -> None:
    alone = catalog.load_platforms(write(tmp_path, ARM64), {"PLATFORMS": "linux/arm64"})
    assert alone.find("sutra-api") == alone.find("arm64/sutra-api") == alone.images[0]
    both = catalog.load_platforms(tmp_path / "images.yaml", BOTH)
    assert both.find("sutra-api") == both.images[0]


@pytest.mark.usefixtures("amd64")
def test_an_image_of_another_platform_is_not_built(tmp_path: Path) -> None:
    both = catalog.load_platforms(write(tmp_path, ARM64), BOTH)
    error = both.not_built(both.images[2], "arm64/sutra-api:prod")
    assert error.message == (
        f'{tmp_path}/images.yaml: images.sutra-api: not built "arm64/sutra-api:prod"'
    )
    assert error.tip == "run `make build PLATFORMS=linux/arm64`"


@pytest.mark.usefixtures("amd64")
@pytest.mark.parametrize(
    ("needs", "problem"),
    [
        ("sutra-storag", 'no such image "sutra-storag", did you mean "sutra-storage"?'),
        ("sutra-api", 'cycle "sutra-api → sutra-api"'),
    ],
)
def test_a_need_is_named_by_its_key_on_every_platform(
    tmp_path: Path, needs: str, problem: str
) -> None:
    file = write(tmp_path, ARM64.replace("[sutra-storage]", f"[{needs}]"))
    with pytest.raises(SutraError) as caught:
        catalog.load_platforms(file, {"PLATFORMS": "linux/arm64"})
    assert caught.value.message == f"{file}: images.sutra-api.runtime.needs: {problem}"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{installed: 6 MB}", "images.yaml: images.sutra-api.budget.arm64.download: missing"),
        (
            "{installed: 6 MB, download: 2 MB, memory: 5 MB}",
            'images.yaml: images.sutra-api.budget.arm64: unknown key "memory"',
        ),
        ("6 MB", 'images.yaml: images.sutra-api.budget.arm64: not a mapping "6 MB"'),
        (
            "{installed: six, download: 2 MB}",
            f'images.yaml: images.sutra-api.budget.arm64.installed: {NOT_A_SIZE}: "six"',
        ),
    ],
)
def test_a_platforms_budget_is_sizes(tmp_path: Path, text: str, message: str) -> None:
    budget = f"{{budget: {{installed: 5 MB, download: 1 MB, arm64: {text}}}}}"
    assert refusal(tmp_path, small(budget)) == message


def test_another_platform_has_no_budget(tmp_path: Path) -> None:
    budget = "{budget: {installed: 5 MB, download: 1 MB, arm: {installed: 1 MB, download: 1 MB}}}"
    assert refusal(tmp_path, small(budget)).startswith(
        'images.yaml: images.sutra-api.budget: unknown key "arm"'
    )


def test_a_base_that_is_unknown_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SutraError) as caught:
        catalog.load(write(tmp_path, ALPINE), {"BASE": "arch"})
    assert (caught.value.message, caught.value.tip) == (
        'BASE: unknown "arch"',
        "choose one of debian, alpine",
    )


def test_a_reference_is_the_tag_that_a_build_sets() -> None:
    assert Image("sutra-api", Budget(1, 1)).reference == "sutra-api:prod"


# the heading of the targets that are in no release
ONLY_WHEN_ASKED_FOR = "# ---- built only when asked for"


def test_every_production_image_is_packed_at_the_level_where_all_packers_agree() -> None:
    bake_file = (ROOT / "docker-bake.hcl").read_text()
    assert 'variable "PACKED" { default = "type=docker,compression-level=9" }' in bake_file
    targets = re.findall(r'^target "(.+?)" {\n(.*?)^}$', bake_file, re.MULTILINE | re.DOTALL)
    prod = {name: body for name, body in targets if ':prod"]' in body}
    assert prod.keys() == {
        "sutra-base-python",
        "sutra-base-rust-runtime",
        "_prod",
        "sutra-storage-postgres",
        "sutra-images",
    }
    for body in prod.values():
        assert re.findall(r"^  output +(= .*)$", body, re.MULTILINE) == ["= [PACKED]"]


def test_the_projects_own_file_names_the_images_that_the_bake_file_tags_prod() -> None:
    bake_file, mark, _ = (ROOT / "docker-bake.hcl").read_text().partition(ONLY_WHEN_ASKED_FOR)
    assert mark
    bases = re.findall(r'^\s*tags\s*=\s*\["([\w-]+):prod"\]$', bake_file, re.MULTILINE)
    services = re.findall(r'^ *{ name = "([\w-]+)", language = ', bake_file, re.MULTILINE)
    tagged = [*bases, *services]
    assert [image.name for image in catalog.load(ROOT / "images.yaml").images] == tagged


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "images.yaml: not a mapping"),
        ("# nothing\n", "images.yaml: not a mapping"),
        ("- a\n", "images.yaml: not a mapping \"['a']\""),
        ("word\n", 'images.yaml: not a mapping "word"'),
        (small() + "imags: {}\n", 'images.yaml: unknown key "imags", did you mean "images"?'),
        (small() + "zzz: {}\n", 'images.yaml: unknown key "zzz"'),
        (small() + "7: {}\n", 'images.yaml: key is not text "7"'),
        (small() + "on: {}\n", 'images.yaml: key is not text "True"'),
        ("images: {a: {}}\n", "images.yaml: images.a.budget: missing"),
        (RELEASE, "images.yaml: images: missing"),
        (RELEASE + "images:\n", "images.yaml: images: missing"),
        (RELEASE + "images: {}\n", "images.yaml: images: empty"),
        (RELEASE + "images: []\n", 'images.yaml: images: not a mapping "[]"'),
        (RELEASE + "images: {1: {}}\n", 'images.yaml: images: key is not text "1"'),
        (small(release=""), "images.yaml: release: missing"),
        (small(release="release:\n"), "images.yaml: release: missing"),
        (small(release="release: 5 MB\n"), 'images.yaml: release: not a mapping "5 MB"'),
        (small(release="release: {}\n"), "images.yaml: release.budget: missing"),
        (
            small(release="release: {budgte: {}}\n"),
            'images.yaml: release: unknown key "budgte", did you mean "budget"?',
        ),
        (
            small(release="release: {images: {}}\n"),
            'images.yaml: release: unknown key "images"',
        ),
        (
            small(release="release: {budget: {installed: 1 MB}}\n"),
            "images.yaml: release.budget.download: missing",
        ),
        (
            small(release="release: {budget: {installed: 1, download: 1 MB}}\n"),
            f'images.yaml: release.budget.installed: {NOT_A_SIZE}: "1"',
        ),
        (
            small(release="release: {budget: {installed: 1 MB, dowload: 1 MB}}\n"),
            'images.yaml: release.budget: unknown key "dowload", did you mean "download"?',
        ),
        (small("5 MB"), 'images.yaml: images.sutra-api: not a mapping "5 MB"'),
        (small(""), "images.yaml: images.sutra-api: missing"),
        (small("{}"), "images.yaml: images.sutra-api.budget: missing"),
        (small("{budget: }"), "images.yaml: images.sutra-api.budget: missing"),
        (
            small("{budget: 5 MB}"),
            'images.yaml: images.sutra-api.budget: not a mapping "5 MB"',
        ),
        (
            small("{buget: {}}"),
            'images.yaml: images.sutra-api: unknown key "buget", did you mean "budget"?',
        ),
        (small("{zzz: {}}"), 'images.yaml: images.sutra-api: unknown key "zzz"'),
        (small("{2: {}}"), 'images.yaml: images.sutra-api: key is not text "2"'),
        (
            small("{budget: {instaled: 1 MB}}"),
            "images.yaml: images.sutra-api.budget: "
            'unknown key "instaled", did you mean "installed"?',
        ),
        (
            small("{budget: {zzz: 1 MB}}"),
            'images.yaml: images.sutra-api.budget: unknown key "zzz"',
        ),
        (
            small("{budget: {3: 1 MB}}"),
            'images.yaml: images.sutra-api.budget: key is not text "3"',
        ),
        (
            small("{budget: {download: 1 MB}}"),
            "images.yaml: images.sutra-api.budget.installed: missing",
        ),
        (
            small("{budget: {installed: 1 MB}}"),
            "images.yaml: images.sutra-api.budget.download: missing",
        ),
        (
            small("{budget: {installed: 1 MB, download: }}"),
            "images.yaml: images.sutra-api.budget.download: missing",
        ),
        (
            small("{budget: {installed: 50, download: 1 MB}}"),
            f'images.yaml: images.sutra-api.budget.installed: {NOT_A_SIZE}: "50"',
        ),
        (
            small("{budget: {installed: 0, download: 1 MB}}"),
            f'images.yaml: images.sutra-api.budget.installed: {NOT_A_SIZE}: "0"',
        ),
        (
            small("{budget: {installed: true, download: 1 MB}}"),
            f'images.yaml: images.sutra-api.budget.installed: {NOT_A_SIZE}: "True"',
        ),
        (
            small("{budget: {installed: -5 MB, download: 1 MB}}"),
            f'images.yaml: images.sutra-api.budget.installed: {NOT_A_SIZE}: "-5 MB"',
        ),
        (
            small("{budget: {installed: [], download: 1 MB}}"),
            f'images.yaml: images.sutra-api.budget.installed: {NOT_A_SIZE}: "[]"',
        ),
        (
            small("{budget: {installed: 5 MB, download: 5 TB}}"),
            "images.yaml: images.sutra-api.budget.download: "
            'unknown unit, use B, kB, MB, GB, KiB, MiB or GiB: "5 TB"',
        ),
        (
            small('{budget: {installed: 5 MB, download: 1 MB}, not_promoted_because: ""}'),
            'images.yaml: images.sutra-api.not_promoted_because: not a text ""',
        ),
        (
            small('{budget: {installed: 5 MB, download: 1 MB}, not_promoted_because: " "}'),
            'images.yaml: images.sutra-api.not_promoted_because: not a text " "',
        ),
        (
            small("{budget: {installed: 5 MB, download: 1 MB}, not_promoted_because: }"),
            "images.yaml: images.sutra-api.not_promoted_because: not a text",
        ),
        (
            small("{budget: {installed: 5 MB, download: 1 MB}, not_promoted_because: true}"),
            'images.yaml: images.sutra-api.not_promoted_because: not a text "True"',
        ),
    ],
)
def test_bad_content_is_refused_with_its_key_path(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("release: {budget: {a: b\nimages:\n", "line 2: expected ',' or '}', but got ':'"),
        ("a: b: c\n", "line 1: mapping values are not allowed here"),
        ("release:\n\tbudget: x\n", "line 2: found character '\\t' that cannot start any token"),
        ("a: 1\nb: *nowhere\n", "line 2: found undefined alias 'nowhere'"),
        ("? [a]\n: b\n", "line 1: found unhashable key"),
        (
            "a: !!python/name:os.system\n",
            "line 1: could not determine a constructor for the tag "
            "'tag:yaml.org,2002:python/name:os.system'",
        ),
        ("a: \x00\n", "unacceptable character #x0000: special characters are not allowed"),
    ],
)
def test_what_is_not_yaml_is_refused_with_its_line(tmp_path: Path, text: str, problem: str) -> None:
    file = write(tmp_path, text)
    with pytest.raises(SutraError) as caught:
        catalog.load(file)
    assert caught.value.message == f"{file}: not YAML: {problem}"
    assert caught.value.tip == f"`yamllint {file}` says more"


def test_a_missing_file_is_refused(folder: Path) -> None:
    with pytest.raises(SutraError) as caught:
        catalog.load()
    assert caught.value.message == "images.yaml: no such file"
    assert caught.value.tip == "run it in the folder of the project"


def test_a_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(SutraError) as caught:
        catalog.load(tmp_path)
    assert caught.value.message == (
        f"{tmp_path}: cannot be read: [Errno 21] Is a directory: '{tmp_path}'"
    )
    assert caught.value.tip == f"`ls -ld {tmp_path}` says more"


def test_a_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "images.yaml"
    file.write_bytes(b"release: \xff\n")
    with pytest.raises(SutraError) as caught:
        catalog.load(file)
    assert caught.value.message == (
        f"{file}: cannot be read: "
        "'utf-8' codec can't decode byte 0xff in position 9: invalid start byte"
    )


def test_an_image_that_is_listed_twice_is_refused(tmp_path: Path) -> None:
    """Otherwise the second budget would silently replace the first."""
    twice = small() + "  sutra-api: {budget: {installed: 9 MB, download: 9 MB}}\n"
    with pytest.raises(SutraError) as caught:
        catalog.load(write(tmp_path, twice))
    assert caught.value.message == (
        f'{tmp_path}/images.yaml: not YAML: line 4: duplicate key "sutra-api"'
    )


@pytest.fixture
def promises(tmp_path: Path) -> Catalog:
    return Catalog(
        Path("images.yaml"),
        (Image("sutra-api", Budget(1, 1)), Image("sutra-hybrid", Budget(1, 1))),
        Budget(1, 1),
    )


def test_find_returns_the_image(promises: Catalog) -> None:
    assert promises.find("sutra-hybrid") is promises.images[1]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        (
            "sutra-ap",
            'images.yaml: images: no such image "sutra-ap", did you mean "sutra-api"?',
        ),
        ("zzz", 'images.yaml: images: no such image "zzz"'),
        ("", 'images.yaml: images: no such image ""'),
    ],
)
def test_find_refuses_an_unknown_name(promises: Catalog, name: str, message: str) -> None:
    with pytest.raises(SutraError) as caught:
        promises.find(name)
    assert caught.value.message == message
    assert caught.value.tip == "names: sutra-api, sutra-hybrid"


WORDS = st.sampled_from(["release", "images", "budget", "installed", "download", "a", "5 MB"])
DOCUMENTS = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5) | WORDS,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(WORDS | st.integers(), inner, max_size=4)
    ),
    max_leaves=20,
)


def only_sutra_error(folder: Path, content: bytes) -> None:
    file = folder / "images.yaml"
    file.write_bytes(content)
    try:
        assert catalog.load(file).images
    except SutraError as error:
        assert error.message.startswith(f"{file}: ")  # noqa: PT017 - or it succeeds


@given(document=DOCUMENTS)
def test_no_document_raises_anything_but_sutra_error(
    tmp_path_factory: pytest.TempPathFactory, document: object
) -> None:
    only_sutra_error(tmp_path_factory.mktemp("a"), yaml.safe_dump(document).encode())


@given(text=st.text())
def test_no_text_raises_anything_but_sutra_error(
    tmp_path_factory: pytest.TempPathFactory, text: str
) -> None:
    only_sutra_error(tmp_path_factory.mktemp("a"), text.encode(errors="surrogatepass"))


@given(content=st.binary())
@example(content=b"\xef\xbb\xbf")
def test_no_bytes_raise_anything_but_sutra_error(
    tmp_path_factory: pytest.TempPathFactory, content: bytes
) -> None:
    only_sutra_error(tmp_path_factory.mktemp("a"), content)


@pytest.mark.parametrize(
    "text",
    [
        "a: 2001-99-99",
        "a: 0x_",
        "a: !!bool x",
        "a: !!int x",
        "a: !!timestamp x",
        "[" * 3000,
        "a: " + "1" * 5000,
    ],
    ids=["date", "hex", "bool", "int", "timestamp", "nesting", "digits"],
)
def test_values_that_pyyaml_itself_stumbles_over_are_refused(tmp_path: Path, text: str) -> None:
    """PyYAML raises ValueError, KeyError, AttributeError and RecursionError for these."""
    with pytest.raises(SutraError):
        catalog.load(write(tmp_path, text))


# ---- how an image is started ------------------------------------------------

BUDGET = "budget: {installed: 5 MB, download: 1 MB}"
STORE = "{budget: {installed: 5 MB, download: 1 MB, ready: 2 s}, runtime: {alias: store}}"


def started(api: str, store: str = STORE) -> str:
    return f"{RELEASE}images:\n  api: {{{BUDGET}, runtime: {api}}}\n  store: {store}\n"


def test_how_a_service_is_started_is_read(tmp_path: Path) -> None:
    file = write(
        tmp_path,
        RELEASE + "images:\n"
        "  api:\n"
        "    budget: {installed: 5 MB, download: 1 MB, ready: 1.5 s, memory: 40 MB,\n"
        "             start-cpu: 220 ms, ready-at-quarter: 1 s}\n"
        "    runtime: {needs: [store], writes: [/tmp, /var/lib/api], loads: [libgcc_s.so.1],\n"
        '              ready: [ask, "8000"]}\n'
        f"  store: {STORE}\n",
    )
    assert catalog.load(file).images == (
        Image(
            "api",
            Budget(
                5_000_000,
                1_000_000,
                ready=1500,
                memory=40_000_000,
                start_cpu=220,
                ready_at_quarter=1000,
            ),
            runtime=Runtime(
                ("store",), "", ("/tmp", "/var/lib/api"), ("libgcc_s.so.1",), ("ask", "8000")
            ),
        ),
        Image("store", Budget(5_000_000, 1_000_000, ready=2000), runtime=Runtime(alias="store")),
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (started("5"), 'images.yaml: images.api.runtime: not a mapping "5"'),
        (
            started("{need: [store]}"),
            'images.yaml: images.api.runtime: unknown key "need", did you mean "needs"?',
        ),
        (
            started("{needs: store}"),
            'images.yaml: images.api.runtime.needs: not a list of texts "store"',
        ),
        (
            started("{needs: [stor]}"),
            'images.yaml: images.api.runtime.needs: no such image "stor", did you mean "store"?',
        ),
        (
            started("{needs: [store]}", f"{{{BUDGET}}}"),
            'images.yaml: images.api.runtime.needs: not a service, it has no budget.ready: "store"',
        ),
        (
            started("{}", STORE.replace("alias: store", "needs: [store]")),
            'images.yaml: images.store.runtime.needs: cycle "store → store"',
        ),
        (
            started("{alias: 7}"),
            'images.yaml: images.api.runtime.alias: not a text "7"',
        ),
        (
            started("{writes: [tmp]}"),
            'images.yaml: images.api.runtime.writes: not the absolute path of a folder "tmp"',
        ),
        (
            started("{writes: [/]}"),
            'images.yaml: images.api.runtime.writes: not the absolute path of a folder "/"',
        ),
        (
            started("{writes: [/a/../b]}"),
            'images.yaml: images.api.runtime.writes: not the absolute path of a folder "/a/../b"',
        ),
        (
            started("{}", STORE.replace("2 s", "2")),
            'images.yaml: images.store.budget.ready: not a time such as "5 s": "2"',
        ),
        (
            started("{}", STORE.replace("ready: 2 s", "ready: 2 s, memory: 2 s")),
            "images.yaml: images.store.budget.memory: unknown unit, "
            'use B, kB, MB, GB, KiB, MiB or GiB: "2 s"',
        ),
        *(
            (
                started("{}", STORE.replace("ready: 2 s", f"{key}: {value}")),
                f"images.yaml: images.store.budget.{key}: "
                f'of a service alone, and it has no ready: "{value}"',
            )
            for key, value in (
                ("memory", "2 MB"),
                ("start-cpu", "2 s"),
                ("ready-at-quarter", 2),
                ("fresh", "2 s"),
            )
        ),
        (
            started("{}", STORE.replace("ready: 2 s", "ready: 2 s, start-cpu: 2 MB")),
            'images.yaml: images.store.budget.start-cpu: unknown unit, use ms or s: "2 MB"',
        ),
        (
            started("{}", STORE.replace("ready: 2 s", "ready: 2 s, fresh: 12 MB")),
            'images.yaml: images.store.budget.fresh: unknown unit, use ms or s: "12 MB"',
        ),
        (
            small(release="release: {budget: {installed: 1 MB, download: 1 MB, fresh: 1 s}}\n"),
            'images.yaml: release.budget: unknown key "fresh"',
        ),
        (
            small(release="release: {budget: {installed: 1 MB, download: 1 MB, ready: 1 s}}\n"),
            'images.yaml: release.budget: unknown key "ready"',
        ),
    ],
)
def test_how_an_image_is_started_is_refused(tmp_path: Path, text: str, message: str) -> None:
    assert refusal(tmp_path, text) == message


def test_a_longer_cycle_of_needs_is_refused(tmp_path: Path) -> None:
    budget = "budget: {installed: 5 MB, download: 1 MB, ready: 2 s}"
    lines = [f"  {a}: {{{budget}, runtime: {{needs: [{b}]}}}}" for a, b in ("ab", "bc", "cb")]
    assert refusal(tmp_path, RELEASE + "images:\n" + "\n".join(lines) + "\n") == (
        'images.yaml: images.a.runtime.needs: cycle "a → b → c → b"'
    )
