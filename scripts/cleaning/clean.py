"""Remove one project's containers, networks, images, cache mounts and, if asked, its data.

Everything is shown before anything is removed. What another project uses or may have made
stays, data stays without --data, and what rollback needs stays without --all.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping, Sequence

from scripts.cleaning.resource import Resource
from scripts.common.confirm import confirm as ask
from scripts.common.errors import SutraError
from scripts.common.units import format_size
from scripts.engine import client as engine
from scripts.engine import images

# seconds that a container has to finish its work and to write what it holds
GRACE = 10


def show(name: str, resources: Sequence[Resource]) -> None:
    """Print the list to stdout: what goes, then what stays and why."""
    if not resources:
        print(f'clean: nothing of project "{name}" is on this engine')
    for verb, chosen in (
        ("remove", going(resources)),
        ("keep", [resource for resource in resources if resource.kept]),
    ):
        for resource in chosen:
            reason = f"  ({resource.kept})" if resource.kept else ""
            size = format_size(resource.size)
            print(f"{verb:6}  {resource.kind:9}  {size:>10}  {resource.name}{reason}")
    sys.stdout.flush()


def going(resources: Sequence[Resource]) -> list[Resource]:
    """Return what is to be removed."""
    return [resource for resource in resources if not resource.kept]


def confirm(
    resources: Sequence[Resource], yes: bool, question: str, read: Callable[[str], str] = input
) -> None:
    """Ask whether to go on, and again for each data volume, by its name.

    Raises SutraError when there is nobody to ask or the answer is not yes.
    """
    ask("clean", question, yes, read)
    if yes:
        return
    try:
        for volume in (resource for resource in going(resources) if resource.kind == "volume"):
            if read(f"type {volume.name} to delete that data: ").strip() != volume.name:
                raise SutraError(
                    f'clean: not confirmed "{volume.name}"',
                    "leave out --data to keep it; nothing was touched",
                )
    except EOFError as error:
        raise SutraError("clean: not confirmed", "nothing was touched") from error


def remove(client: engine.Client, resources: Sequence[Resource]) -> None:
    """Remove what is not kept, and say so line by line on stderr.

    Nothing is forced: what came into use since it was listed makes the engine refuse.
    """
    for resource in going(resources):
        with engine.request(f'remove the {resource.kind} "{resource.name}"'):
            REMOVERS[resource.kind](client, resource)
        print(f"removed {resource.kind} {resource.name}", file=sys.stderr, flush=True)


def _container(client: engine.Client, resource: Resource) -> None:
    client.api.stop(resource.id, timeout=GRACE)
    client.api.remove_container(resource.id, v=True)  # anonymous volumes alone


def _network(client: engine.Client, resource: Resource) -> None:
    client.api.remove_network(resource.id)


def _image(client: engine.Client, resource: Resource) -> None:
    for tag in resource.tags:
        now = images.inspect(client, tag)
        if now and now["Id"] == resource.id:  # it may be on a newer image since
            images.untag(client, tag)
    now = None if resource.tags else images.inspect(client, resource.id)
    if now and not now["RepoTags"]:  # somebody may have tagged it since
        client.api.remove_image(resource.id, noprune=True)


def _cache(client: engine.Client, resource: Resource) -> None:
    # the stubs know fewer filters than the engine
    client.api.prune_builds(filters={"id": resource.id}, all=True)  # type: ignore[arg-type]


def _volume(client: engine.Client, resource: Resource) -> None:
    client.api.remove_volume(resource.id)


REMOVERS: Mapping[str, Callable[[engine.Client, Resource], None]] = {
    "container": _container,
    "network": _network,
    "image": _image,
    "cache": _cache,
    "volume": _volume,
}
