from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from docker.errors import APIError, ImageNotFound
from hypothesis import given
from hypothesis import strategies as st
from requests.exceptions import ConnectionError as RequestsConnectionError

from scripts.common.errors import EngineError, SutraError
from scripts.engine import images
from scripts.engine.images import Stream
from tests.unit.engine.stand_ins import TIP, Refusing
from tests.unit.fakes import FakeEngine, FakeImage, tar_of


@given(
    chunks=st.lists(st.binary(min_size=1, max_size=20), max_size=20),
    sizes=st.lists(st.integers(1, 50), min_size=1, max_size=30),
)
def test_reads_of_any_size_give_the_bytes_of_chunks_of_any_size(
    chunks: list[bytes], sizes: list[int]
) -> None:
    whole, stream, at = b"".join(chunks), Stream(iter(chunks)), 0
    for size in sizes:
        assert stream.read(size) == whole[at : at + size]
        at += size
    assert stream.read(1000) == whole[at:]
    assert stream.read(1) == b""


def test_nothing_is_read_before_it_is_asked_for() -> None:
    numbers: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            numbers.append(number)
            yield b"ab"

    stream = Stream(chunks())
    assert (stream.read(0), numbers) == (b"", [])
    assert (stream.read(2), numbers) == (b"ab", [0])
    assert (stream.read(1), numbers) == (b"a", [0, 1])


def saved(client: Refusing | FakeEngine, reference: str = "a:prod") -> bytes:
    with images.saved(client, reference) as stream:
        return bytes(stream.read(10**6))


CALLS: dict[str, Callable[[Any], object]] = {
    "inspect": lambda client: images.inspect(client, "a:prod"),
    "save": saved,
    "tag": lambda client: images.tag(client, "sha256:1", "a:prod"),
    "remove the tag": lambda client: images.untag(client, "a:prod"),
}


@pytest.mark.parametrize("name", CALLS)
def test_what_the_engine_refuses_is_one_clear_line(name: str) -> None:
    with pytest.raises(SutraError) as caught:
        CALLS[name](Refusing(APIError("500", explanation="layer is corrupt")))
    assert caught.value.message == f'engine: cannot {name} "a:prod": layer is corrupt'
    assert caught.value.tip == TIP


@pytest.mark.parametrize("name", CALLS)
def test_an_engine_that_went_away_is_one_clear_line(name: str) -> None:
    """The SDK lets errors of `requests` through, which are not a DockerException."""
    gone = RequestsConnectionError("[Errno 111] Connection refused")
    with pytest.raises(SutraError) as caught:
        CALLS[name](Refusing(gone))
    assert caught.value.tip == TIP


def test_a_missing_image_gives_none() -> None:
    assert images.inspect(FakeEngine(), "a:prod") is None


def test_an_image_that_is_there_is_inspected() -> None:
    client, image = FakeEngine(), FakeImage([b"x"])
    client.add(image, "a:prod")
    assert images.inspect(client, "a:prod") == image.attrs


def test_an_image_is_saved_as_one_stream() -> None:
    client, image = FakeEngine(), FakeImage([b"x" * 5000])
    client.add(image, "a:prod")
    assert saved(client) == image.archive


def test_saving_an_image_that_is_gone_is_refused() -> None:
    with pytest.raises(SutraError) as caught:
        saved(Refusing(ImageNotFound("no such image")))
    assert caught.value.message == 'engine: image no longer exists "a:prod"'
    assert caught.value.tip == "run `make build`"


UNPACKED_NOWHERE = "snapshot sha256:bec90d52 does not exist: not found"


@pytest.mark.parametrize(
    ("explanation", "kind"),
    [(UNPACKED_NOWHERE, images.NotUnpackedError), ("disk is read-only", EngineError)],
)
def test_a_history_that_the_engine_cannot_tell(explanation: str, kind: type[EngineError]) -> None:
    """With containerd's store, one of an image that was loaded for another platform."""

    class Refused(FakeEngine):
        def history(self, reference: str) -> list[dict[str, Any]]:
            raise APIError("500", explanation=explanation)

    with pytest.raises(EngineError) as caught:
        images.history(Refused(), "a:prod")
    assert type(caught.value) is kind
    assert (caught.value.message, caught.value.tip) == (
        f'engine: cannot tell the history of "a:prod": {explanation}',
        TIP,
    )


def test_the_answer_is_closed_when_reading_stops() -> None:
    closed: list[bool] = []

    class Saving(FakeEngine):
        def get_image(self, reference: str) -> Iterator[bytes]:
            try:
                while True:  # more than is received ahead
                    yield b"1" * (1 << 20)
            finally:
                closed.append(True)

    with images.saved(Saving(), "a") as stream:
        assert stream.read(1) == b"1"
        assert closed == []
    assert closed == [True]


def test_removing_a_missing_tag_succeeds() -> None:
    client = FakeEngine()
    client.tags["b:prod"] = "sha256:b"
    images.untag(client, "a:prod")
    assert client.tags == {"b:prod": "sha256:b"}


def test_a_tag_is_removed() -> None:
    client = FakeEngine()
    client.tags.update({"a:prod": "sha256:a", "a:latest": "sha256:a"})
    images.untag(client, "a:prod")
    assert client.tags == {"a:latest": "sha256:a"}


LAYER = tar_of({"file": b"x"})


class Listing:
    """An engine that refuses to list its images as often as it has refusals, then does."""

    def __init__(self, *refusals: str) -> None:
        self.api = self
        self.refusals = list(refusals)

    def images(self, name: str) -> list[dict[str, str]]:
        """Answer `client.api.images`."""
        if self.refusals:
            raise APIError("500", explanation=self.refusals.pop(0))
        return [{"Id": name}]


@pytest.fixture
def without_pauses(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(images, "PAUSE", 0)


REMOVED = "failed to get rootfs of image a:1: content digest sha256:1: not found"
SNAPSHOT = "snapshot sha256:1 does not exist"


@pytest.mark.parametrize("refusals", [[], [REMOVED], [REMOVED, SNAPSHOT, REMOVED, SNAPSHOT]])
def test_an_image_that_goes_meanwhile_spoils_no_list(
    without_pauses: None, refusals: list[str]
) -> None:
    client: Any = Listing(*refusals)
    assert images.every(client, name="a") == [{"Id": "a"}]
    assert client.refusals == []


@pytest.mark.parametrize(
    ("refusals", "calls"), [([REMOVED] * 9, 5), (["layer is corrupt", "no disk"], 1)]
)
def test_an_engine_that_cannot_list_its_images_is_one_line(
    without_pauses: None, refusals: list[str], calls: int
) -> None:
    client: Any = Listing(*refusals)
    with pytest.raises(SutraError) as error:
        images.repository_tags(client, "a")
    assert str(error.value) == f'engine: cannot list the tags of "a": {refusals[0]}'
    assert len(client.refusals) == len(refusals) - calls


def test_tags_of_one_repository_and_of_no_other() -> None:
    client: Any = FakeEngine()
    client.add(FakeImage([LAYER]), "sutra-api:prod", "sutra-api:1.4", "my/sutra-api:latest")
    assert images.repository_tags(client, "sutra-api") == {"prod", "1.4"}
    assert images.repository_tags(client, "sutra") == set()


@pytest.mark.parametrize("labels", [None, {}, {"a": "b"}])
def test_labels(labels: dict[str, str] | None) -> None:
    client: Any = FakeEngine()
    client.add(FakeImage([LAYER], labels=labels), "sutra-api:prod")
    assert images.labels(client, "sutra-api:prod") == (labels or {})
    assert images.labels(client, "sutra-api:other") == {}


A, B = f"sha256:{'a' * 64}", f"sha256:{'b' * 64}"


def test_digests_of_one_repository_and_of_no_other() -> None:
    client: Any = FakeEngine()
    image = FakeImage([LAYER])
    image.attrs["RepoDigests"] = [f"localhost:5000/me/api@{A}", f"api@{B}", "<none>@<none>"]
    client.add(image, "localhost:5000/me/api:1")
    assert images.digests(client, "localhost:5000/me/api:1") == {A}
    assert images.digests(client, "localhost:5000/me/none:1") == set()
    assert images.digests_anywhere(client, "localhost:5000/me/api:1") == {A, B}
    assert images.digests_anywhere(client, "localhost:5000/me/none:1") == set()
