"""`harness desk`: a local page on which a film is directed, clip by clip."""

import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path

import click

from harness.commands.browser import address_in_a_file, show_in_browser
from harness.commands.options import PROFILE, RECIPES, STORE, Whole, overrides_argument
from harness.commands.ui import free_port
from harness.core.errors import UseError
from harness.core.graph import Graph
from harness.core.store import ERROR, Store
from harness.core.use import in_use
from harness.declare.spec import parse_overrides
from harness.plan.shots import Setup


@click.command()
@overrides_argument()
@click.option(
    "--lora", "loras", multiple=True, metavar="[EXPERT=]FILE[:STRENGTH]", help="LoRA file or folder; may be given again"
)
@PROFILE
@RECIPES
@click.option("--port", type=Whole(1, 65535), default=7860, show_default=True)
@STORE
def desk(
    overrides: Sequence[str], loras: tuple[str, ...], profile: str, recipes: tuple[str, ...], port: int, store: Path
) -> None:
    """A page to make a film clip by clip: cut, take again, branch; on this machine only."""
    opened = Store(store)
    with in_use(opened.locks):  # whatever else is removed, not what films in the making need
        sys.exit(serve(Setup(profile, recipes, parse_overrides(overrides), loras), opened, port))


def serve(setup: Setup, store: Store, port: int) -> int:
    """Serve the page until interrupted; a busy port is replaced by a free one. Raises UseError."""
    if find_spec("gradio") is None:  # imported last: it takes seconds, and what was asked for may be wrong
        raise UseError("the desk needs Gradio, which is not installed: pip install 'svi-harness[desk]'")
    import uvicorn

    from harness.desk.desk import Desk
    from harness.desk.record import Recorder
    from harness.desk.server import HOST, application, new_token

    opened, token, chosen = Desk(setup, store), new_token(), free_port(port)
    _make_ready(opened.shots.graph, store)
    address = f"http://{HOST}:{chosen}/?token={token}"
    with Recorder(opened) as recorder, address_in_a_file(address) as page:
        app = application(opened, chosen, token, recorder)
        print(f"desk: {address}\n(on this machine only; who has this address can use it; Ctrl-C stops it)", flush=True)
        show_in_browser(page)
        uvicorn.run(app, host=HOST, port=chosen, log_level="warning")
    return 0


def _make_ready(graph: Graph, store: Store) -> None:
    """The embedded model, where it is not there yet. Raises UseError where it cannot be made."""
    from harness.commands.progress import console_of
    from harness.core.provenance import facts
    from harness.run.local import Local
    from harness.run.schedule import run

    if all(store.done(node.kind, node.signature) for node in graph):
        return
    console = console_of(graph, store, 1, True, 0)
    with console, Local(1, facts()) as executor:
        outcome = run(graph, store, executor, console.event, console.tick)
    for event in outcome.failed.values():
        error = store.note(event.node.kind, event.node.signature, ERROR)
        raise UseError(error["message"] if error else event.message)
