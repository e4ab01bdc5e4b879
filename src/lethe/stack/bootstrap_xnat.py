"""``scripts/bootstrap-xnat``: a fresh XNAT becomes a Lethe site."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from lethe.errors import Misconfigured
from lethe.stack.bootstrap import ADMIN, Wanted, definitions, first_login, steps
from lethe.stack.running import run
from lethe.stack.settings import read_env
from lethe.xnat.client import connect

app = typer.Typer(add_completion=False, pretty_exceptions_enable=False)


@app.command()
def bootstrap(
    root: Annotated[Path, typer.Option(help="Folder of docker-compose.yml and .env.")] = Path(),
    url: Annotated[str, typer.Option(help="Address of the XNAT; else that of .env.")] = "",
    guests: Annotated[
        bool, typer.Option("--guests", help="Let people without an account see public collections.")
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would change.")] = False,
) -> None:
    """Set the site up: first password, settings, receiver, engine, commands, event service.

    Example: scripts/bootstrap-xnat --dry-run
    """
    env = read_env(root / ".env")
    address = url or f"https://{env['LETHE_HOST']}:{env.get('LETHE_HTTPS_PORT', '443')}"
    wanted = Wanted(
        address, guests=guests, archive_outside=f"{env['LETHE_DATA']}/xnat",
        owner=f"{env['LETHE_UID']}:{env['LETHE_GID']}",
    )  # fmt: skip
    found = definitions(root / "xnat-containers")
    password = _password(Path(env.get("LETHE_SECRETS", "secrets")) / "admin_password")
    console = Console(highlight=False)

    def say(done: str, name: str) -> None:
        console.print(f"{done:>12}  {name}", markup=False, soft_wrap=True)

    if not dry_run:
        say(first_login(address, password), "administrator's own password")
    with connect(address, ADMIN, password) as archive:
        for step in steps(archive, wanted, found):
            settled = step.settled()
            if not settled and not dry_run:
                step.make()
            say("kept" if settled else "would change" if dry_run else "made", step.name)


def _password(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except OSError:
        raise Misconfigured(
            "admin-password", "secrets/admin_password cannot be read.", remedy="Run scripts/init-stack."
        ) from None


if __name__ == "__main__":
    run(app)
