from __future__ import annotations

from pathlib import Path

import pytest

from scripts.catalog import bake_match
from scripts.catalog.budget import Budget
from scripts.catalog.catalog import Catalog, Image
from scripts.common.errors import SutraError

PROMISES = Catalog(
    Path("images.yaml"),
    (Image("sutra-api", Budget(1, 1)), Image("sutra-hybrid", Budget(1, 1))),
    Budget(1, 1),
)
BAKE = Path("docker-bake.hcl")
TAGS = {"sutra-api": ["sutra-api:prod"], "sutra-hybrid": ["sutra-hybrid:prod"]}


def test_a_catalogue_that_names_the_bake_files_images_is_accepted() -> None:
    bake_match.require_same_images(PROMISES, {**TAGS}, BAKE)  # raises nothing


@pytest.mark.parametrize(
    ("tags", "message", "tip"),
    [
        (
            {"sutra-api": ["sutra-api:prod"], "sutra-hybird": ["sutra-hybird:prod"]},
            "images.yaml: images.sutra-hybrid: not an image of docker-bake.hcl"
            ', did you mean "sutra-hybird"?',
            "give docker-bake.hcl that target in group prod, or remove the key",
        ),
        (
            {},
            "images.yaml: images.sutra-api: not an image of docker-bake.hcl\n"
            "images.yaml: images.sutra-hybrid: not an image of docker-bake.hcl",
            "give docker-bake.hcl that target in group prod, or remove the key",
        ),
        (
            {**TAGS, "sutra-new": ["sutra-new:prod"]},
            "images.yaml: images.sutra-new: missing, though docker-bake.hcl builds it",
            "give it a budget in images.yaml",
        ),
        (
            {**TAGS, "sutra-api": ["sutra-app:prod", "sutra-api:prod"]},
            "docker-bake.hcl: target.sutra-api.tags: "
            'not the target\'s own name "sutra-app:prod, sutra-api:prod"',
            "target, key and image carry the same name; rename one",
        ),
        (
            {**TAGS, "sutra-api": ["sutra-app:prod"]},
            'docker-bake.hcl: target.sutra-api.tags: not the target\'s own name "sutra-app:prod"',
            "target, key and image carry the same name; rename one",
        ),
    ],
)
def test_a_mismatch_with_the_bake_file_is_refused(
    tags: dict[str, list[str]], message: str, tip: str
) -> None:
    with pytest.raises(SutraError) as caught:
        bake_match.require_same_images(PROMISES, tags, BAKE)
    assert (caught.value.message, caught.value.tip) == (message, tip)


def test_all_images_without_a_budget_are_named_at_once() -> None:
    with pytest.raises(SutraError) as caught:
        bake_match.require_same_images(PROMISES, {**TAGS, "a": ["a:prod"], "b": ["b:prod"]}, BAKE)
    assert caught.value.message == (
        "images.yaml: images.a: missing, though docker-bake.hcl builds it\n"
        "images.yaml: images.b: missing, though docker-bake.hcl builds it"
    )
