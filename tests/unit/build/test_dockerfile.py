from __future__ import annotations

import pytest

from scripts.build import dockerfile
from scripts.common.errors import SutraError

TEXT = """\
# syntax=docker/dockerfile:1
ARG BASE=debian
ARG VERSION="13"

FROM --platform=linux/amd64 debian:${VERSION} AS deps-debian
# a comment, and then COPY not/this /
COPY --chown=1:1 \\
    --chmod=755 \\
    lib/a.sh \\
    # a comment between
    lib/b.sh /opt/
RUN --mount=type=bind,source=lock.txt,target=/lock \\
    --mount=type=cache,target=/cache \\
    --mount=type=secret,id=ca \\
    --mount=type=bind,from=tools:1,source=/x,target=/x \\
    true

FROM alpine AS deps-alpine
ADD ["with space/a", "/"]
ADD https://example.org/file /

FROM deps-${BASE} AS builder
COPY . /src
RUN --mount=target=/all true

FROM builder AS test
COPY tests /tests

FROM scratch
COPY --from=builder /out /
COPY --from=1 /more /
COPY globs/*.py ./
"""


def test_each_stage_has_its_files_and_what_it_is_made_of() -> None:
    stages = dockerfile.stages("Dockerfile", TEXT, {})
    assert {name: (sorted(stage.files), sorted(stage.needs)) for name, stage in stages.items()} == {
        "deps-debian": (["lib/a.sh", "lib/b.sh", "lock.txt"], ["debian:13", "tools:1"]),
        "deps-alpine": (["with space/a"], ["alpine"]),
        "builder": (["."], ["deps-debian"]),
        "test": (["tests"], ["builder"]),
        "4": (["globs/*.py"], ["1", "builder", "scratch"]),
    }


def test_a_target_takes_what_all_its_stages_take() -> None:
    stages = dockerfile.stages("Dockerfile", TEXT, {})
    mine = {".", "globs/*.py", "lib/a.sh", "lib/b.sh", "lock.txt", "with space/a"}
    assert dockerfile.reached(stages) == (mine, {"debian:13", "tools:1", "alpine"})
    files, _ = dockerfile.reached(stages, "test")
    assert files == {".", "tests", "lib/a.sh", "lib/b.sh", "lock.txt"}


@pytest.mark.parametrize(
    ("arguments", "image"),
    [({}, "debian:13"), ({"VERSION": "14"}, "debian:14"), ({"VERSION": ""}, "debian:13")],
)
def test_arguments_win_over_defaults_where_they_say_something(
    arguments: dict[str, str], image: str
) -> None:
    stages = dockerfile.stages("Dockerfile", TEXT, arguments)
    assert image in stages["deps-debian"].needs


def test_a_stage_may_be_chosen_by_an_argument() -> None:
    stages = dockerfile.stages("Dockerfile", TEXT, {"BASE": "alpine"})
    assert stages["builder"].needs == {"deps-alpine"}


def test_a_file_without_a_stage_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        dockerfile.stages("a/Dockerfile", "# nothing\n", {})
    assert caught.value.message == "a/Dockerfile: no FROM"


def files_of(text: str, **arguments: str) -> set[str]:
    return dockerfile.reached(dockerfile.stages("Dockerfile", text, arguments))[0]


def test_a_variable_of_a_stage_is_known_in_a_path() -> None:
    text = "ARG A=a\nFROM x AS one\nENV B=b\nFROM one\nARG C=c\nCOPY $A/${B}/${C} /\n"
    assert files_of(text) == {"a/b/c"}
    assert files_of(text, C="d", B="no argument") == {"a/b/d"}


def test_a_variable_that_nobody_knows_may_be_any_text() -> None:
    assert files_of("FROM x\nARG NAME\nCOPY packages/$NAME/src /\n") == {"packages/*/src"}


def test_the_case_of_a_stages_name_does_not_count() -> None:
    text = "FROM x AS Builder\nCOPY a /\nFROM scratch\nCOPY --from=builder /a /\n"
    assert files_of(text) == {"a"}


def test_damaged_json_is_read_as_words() -> None:
    assert files_of("FROM x\nCOPY [a b /to\n") == {"[a", "b"}


def test_a_mount_is_an_option_of_run_and_no_word_of_its_command() -> None:
    assert files_of('FROM x\nRUN --mount=type=bind,source="a" cp --mount=b c\n') == {"a"}
