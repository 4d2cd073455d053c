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


def show(name: str, things: Sequence[Resource]) -> None:
    """Print the list to stdout: what goes, then what stays and why."""
    if not things:
        print(f'clean: nothing of project "{name}" is on this engine')
    for verb, chosen in (("remove", going(things)), ("keep", [t for t in things if t.kept])):
        for each in chosen:
            reason = f"  ({each.kept})" if each.kept else ""
            print(f"{verb:6}  {each.kind:9}  {format_size(each.size):>10}  {each.name}{reason}")
    sys.stdout.flush()


def going(things: Sequence[Resource]) -> list[Resource]:
    """Return what is to be removed."""
    return [thing for thing in things if not thing.kept]


def confirm(
    things: Sequence[Resource], yes: bool, question: str, read: Callable[[str], str] = input
) -> None:
    """Ask whether to go on, and again for each data volume, by its name.

    Raises SutraError when there is nobody to ask or the answer is not yes.
    """
    ask("clean", question, yes, read)
    if yes:
        return
    try:
        for volume in (each for each in going(things) if each.kind == "volume"):
            if read(f"type {volume.name} to delete that data: ").strip() != volume.name:
                raise SutraError(
                    f'clean: not confirmed "{volume.name}"',
                    "leave out --data to keep it; nothing was touched",
                )
    except EOFError as error:
        raise SutraError("clean: not confirmed", "nothing was touched") from error


def remove(client: engine.Client, things: Sequence[Resource]) -> None:
    """Remove what is not kept, and say so line by line on stderr.

    Nothing is forced: what came into use since it was listed makes the engine refuse.
    """
    for each in going(things):
        with engine.asked(f'remove the {each.kind} "{each.name}"'):
            REMOVERS[each.kind](client, each)
        print(f"removed {each.kind} {each.name}", file=sys.stderr, flush=True)


def _container(client: engine.Client, each: Resource) -> None:
    client.api.stop(each.id, timeout=GRACE)
    client.api.remove_container(each.id, v=True)  # anonymous volumes alone


def _network(client: engine.Client, each: Resource) -> None:
    client.api.remove_network(each.id)


def _image(client: engine.Client, each: Resource) -> None:
    for tag in each.tags:
        now = images.inspect(client, tag)
        if now and now["Id"] == each.id:  # it may be on a newer image since
            images.untag(client, tag)
    now = None if each.tags else images.inspect(client, each.id)
    if now and not now["RepoTags"]:  # somebody may have tagged it since
        client.api.remove_image(each.id, noprune=True)


def _cache(client: engine.Client, each: Resource) -> None:
    # the stubs know fewer filters than the engine
    client.api.prune_builds(filters={"id": each.id}, all=True)  # type: ignore[arg-type]


def _volume(client: engine.Client, each: Resource) -> None:
    client.api.remove_volume(each.id)


REMOVERS: Mapping[str, Callable[[engine.Client, Resource], None]] = {
    "container": _container,
    "network": _network,
    "image": _image,
    "cache": _cache,
    "volume": _volume,
}
