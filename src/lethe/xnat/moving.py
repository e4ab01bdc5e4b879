"""Moving in: an exported archive becomes part of an XNAT, real or embedded, through its REST alone.

Every step looks first and adds what is missing, so that a run that was cut goes on where it was and a second
one changes nothing. Nothing at the target is overwritten or removed. A project is private until everything
of it has arrived; people get their roles next, its visibility comes last.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import quote

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.xnat import moving_project as of_project
from lethe.xnat.moving_fields import difference, pieces, present
from lethe.xnat.moving_folder import Folder
from lethe.xnat.moving_people import People
from lethe.xnat.moving_report import Listing, Receipt
from lethe.xnat.moving_target import Target

Json = dict[str, Any]
Progress = Callable[[int, int], None]
HISTORY = "LETHE_HISTORY"
ORIGIN, STATE = "lethe_moved_from", "lethe_moved"
_MARK = "fields/field[name={}]/field"
_WORDS = {"subject": "subjects", "experiment": "experiments", "scan": "scans", "assessor": "assessors",
          "reconstruction": "reconstructions"}  # fmt: skip
_NOT_KEPT = (
    "accession IDs: the target gives its own; the former one of a subject, session or assessor is its custom"
    " variable lethe_former_id",
    "authors and dates of items, files and configuration versions: the target notes who moved them; what was"
    f" before lies in the resource {HISTORY}",
    "passwords, tokens, open sessions",
)


class Move:
    """One move of an export into a target.

    Parameters
    ----------
    folder : Folder
        The export, already compared with its manifest.
    target : Target
    create_users : bool
        Make accounts for people who have none: disabled, with a random password that nobody sees.
    into_existing : bool
        Add to projects of the same id that did not come from this archive.
    progress : Callable, optional
        Told the number of items and files looked at, and of all.
    """

    def __init__(
        self,
        folder: Folder,
        target: Target,
        *,
        create_users: bool = False,
        into_existing: bool = False,
        progress: Progress | None = None,
    ) -> None:
        self._folder, self._target = folder, target
        self._into_existing = into_existing
        self._progress = progress
        self._listing = Listing()
        self._done = 0
        self._total = sum(_size(project) for project in folder.projects.values())
        self.receipt = Receipt(folder.seal, not_kept=list(_NOT_KEPT))
        self._people = People(folder, target, self.receipt, create=create_users)

    def run(self) -> Receipt:
        """Move everything; return the receipt.

        Raises
        ------
        Refused
            A project of the same id is there and came from elsewhere, an item lies elsewhere, the login
            may not do it.
        Misconfigured
            The target lacks a data type.
        Unavailable
            The target does not answer; run again.
        """
        states = {name: self._state(name) for name in self._folder.projects}
        self._check_types()
        self._people.prepare()
        for name, project in self._folder.projects.items():
            self._project(name, project)
        for name, project in self._folder.projects.items():
            self._shares(f"/data/projects/{_q(name)}", project)
            self._history(name, project)
        for name, project in self._folder.projects.items():
            self._open(name, project, states[name])
        for name, left in self._folder.left_behind.items():
            self.receipt.not_kept += [f"{name}: {number} {what}" for what, number in left.items()]
        self.receipt.changes = self._target.changes
        self.receipt.listing = self._listing.digests()
        return self.receipt

    # ---- before anything is written -----------------------------------------------------------------------

    def _state(self, name: str) -> str:
        """Return ``new``, ``begun``, ``complete`` or ``foreign``."""
        item = self._target.item(f"/data/projects/{_q(name)}", "look for a project")
        if item is None:
            return "new"
        there = present(item)
        if there.get(_MARK.format(ORIGIN)) == self._folder.projects[name]["origin"]:
            return "complete" if there.get(_MARK.format(STATE)) == "complete" else "begun"
        if self._into_existing:
            return "foreign"
        raise Refused(
            "project-exists",
            f"The target has a project {name} that did not come from this archive. Nothing was changed.",
            remedy="Look at it; --into-existing adds to it and overwrites nothing.",
        )

    def _check_types(self) -> None:
        answer = self._target.get("/xapi/schemas/datatypes", "list the data types", ok=(200, 401, 403, 404))
        if answer.status_code != 200:
            return
        needed: set[str] = set()
        for project in self._folder.projects.values():
            _types(project, needed)
        lacking = sorted(needed - set(answer.json()))
        if lacking:
            raise Misconfigured(
                "type-missing",
                f"The target does not know the data type {', '.join(lacking)}. Nothing was changed.",
                remedy="Install the plugin that brings it, then run again.",
            )

    # ---- items --------------------------------------------------------------------------------------------

    def _project(self, name: str, project: Json) -> None:
        path = f"/data/projects/{_q(name)}"
        item = self._target.item(path, "look for a project")
        if item is None:
            names = {k: v for k in ("name", "secondary_ID") if (v := project["fields"].get(k))}
            mark = {f"xnat:projectData/{_MARK.format(ORIGIN)}": project["origin"]}
            self._target.change(
                "PUT", path, "create a project", params={"accessibility": "private", **names, **mark}
            )
            item = self._target.item(path, "look for a project")
        self._fields(path, project, item)
        of_project.protocols(self._target, path, project, item)
        self._below(path, project)
        self.receipt.differs += of_project.configs(self._target, name, project)
        self.receipt.differs += of_project.anonymization(self._target, name, project)

    def _node(self, above: str, node: Json, project: str) -> None:
        path = f"{above}/{_WORDS[node['kind']]}/{_q(node['label'])}"
        item = self._target.item(path, f"look for a {node['kind']}")
        if item is None:
            self._check_elsewhere(project, node)
        elif item["meta"]["xsi:type"] != node["xsi_type"]:
            raise Refused(
                "other-type",
                f"The target has a {node['kind']} of that label in {project} that is of another data type.",
                remedy="Rename or remove it, then run again.",
            )
        self._fields(path, node, item)
        self._below(path, node, project)
        if node["kind"] == "experiment" and node["status"] == "quarantine":
            self._quarantine(path)

    def _check_elsewhere(self, project: str, node: Json) -> None:
        """Refuse to write where XNAT would move what is there: the label lies below somebody else."""
        if node["kind"] not in {"experiment", "assessor"}:
            return
        address = f"/data/projects/{_q(project)}/experiments/{_q(node['label'])}"
        if self._target.item(address, "look for a session") is not None:
            raise Refused(
                "label-elsewhere",
                f"The target has a session or assessor of that label in {project}, but at another place.",
                remedy="Rename or remove it, then run again.",
            )

    def _below(self, path: str, node: Json, project: str = "") -> None:
        self._custom(path, node)
        for resource in node["resources"]:
            self._resource(path, resource, project or node["id"])
        self.receipt.count(node["kind"])
        self._tell()
        for child in node["children"]:
            self._node(path, child, project or node["id"])

    def _fields(self, path: str, node: Json, item: Json | None) -> None:
        found = difference(node, item)
        kind, xsi_type = node["kind"], node["xsi_type"]
        first: dict[str, str] = {} if item is not None or kind == "project" else {"xsiType": xsi_type}
        for piece in pieces(xsi_type, found.missing):
            self._target.change("PUT", path, f"write a {kind}", params={**first, **piece})
            first = {}
        if first:
            self._target.change("PUT", path, f"write a {kind}", params=first)
        self.receipt.differs += [f"{path}: {name}" for name in found.other]
        if found.missing and not self._target.dry_run:
            left = difference(node, self._target.item(path, f"read a {kind} back"))
            self.receipt.differs += [f"{path}: {name} (not taken)" for name in left.missing]

    def _custom(self, path: str, node: Json) -> None:
        if not node["custom"]:
            return
        address = f"/xapi/custom-fields{path.removeprefix('/data')}/fields"
        answer = self._target.get(address, "read custom fields")
        there = answer.json() if answer.status_code == 200 else {}
        missing = {key: value for key, value in node["custom"].items() if key not in there}
        if missing:
            self._target.change("PUT", address, "write custom fields", json=missing)
        changed = [key for key in node["custom"] if key in there and there[key] != node["custom"][key]]
        self.receipt.differs += [f"{path}: custom field {key}" for key in changed]

    def _quarantine(self, path: str) -> None:
        if self._target.get(f"{path}/status", "read a status").text.strip() != "quarantine":
            self._target.change("PUT", path, "put into quarantine", params={"quarantine": "true"})

    def _shares(self, path: str, node: Json) -> None:
        for child in node["children"]:
            below = f"{path}/{_WORDS[child['kind']]}/{_q(child['label'])}"
            if child["shares"]:
                self._share(below, child)
            self._shares(below, child)

    def _share(self, path: str, node: Json) -> None:
        item = self._target.item(path, "look for a shared item")
        known = {row["ID"] for row in self._target.rows(f"{path}/projects", "list shares")}
        word = "subjects" if node["kind"] == "subject" else "experiments"
        for project, label in node["shares"].items():
            if project not in self._folder.projects:
                self.receipt.not_kept.append(f"a share into {project}, which is not part of the export")
            elif project not in known:
                number = "" if item is None else item["data_fields"]["ID"]
                address = f"/data/{word}/{number}/projects/{_q(project)}"
                self._target.change("PUT", address, "share an item", params={"label": label})

    # ---- resources ----------------------------------------------------------------------------------------

    def _resource(self, above: str, resource: Json, project: str) -> None:
        base = f"{above}/{resource['variant']}" if resource["variant"] else above
        path = f"{base}/resources/{_q(resource['label'])}"
        rows = self._target.rows(f"{base}/resources", "list resources")
        row = next((one for one in rows if one["label"] == resource["label"]), None)
        if row is None:
            said = {k: resource[k] for k in ("format", "content", "tags", "description") if resource[k]}
            self._target.change(
                "PUT", path, "create a resource", params=said, ok=(200, 201, 409)
            )  # 409: a lost connection hid that it was made
        else:
            changed = [k for k in ("format", "content") if (row.get(k) or "") != resource[k]]
            self.receipt.differs += [f"{path}: {name}" for name in changed]
        there = self._target.files(path) if row is not None else {}
        sent = [one for one in resource["files"] if one["path"] not in there]
        taken = {one["path"]: self._send(path, one, project) for one in sent}
        if sent and not self._target.dry_run:
            there = self._target.files(path)
        for one in resource["files"]:
            self._compare(path, one, there.get(one["path"]), refused=not taken.get(one["path"], True))

    def _send(self, path: str, one: Json, project: str) -> bool:
        said = {k: one[k] for k in ("format", "content", "tags", "description") if one[k]}
        reason = self._target.upload(path, one["path"], self._folder.path(one["file"]), said)
        if reason:
            self.receipt.refused.append({"project": project, "file": one["file"], "reason": _plain(reason)})
            return False
        self.receipt.sent += 1
        return True

    def _compare(self, path: str, one: Json, row: Mapping[str, str] | None, *, refused: bool) -> None:
        self._tell()
        self.receipt.count("file")
        self.receipt.count("bytes", one["size"])
        if refused or (row is None and self._target.dry_run):
            return
        if row is None:
            raise Unavailable(
                "upload-not-stored",
                "The target accepted a file but does not hold it.",
                remedy="Check the role of the login in the project, then run again.",
            )
        digest = row.get("digest", "")
        if str(row["Size"]) != str(one["size"]) or (digest and digest != one["md5"]):
            self.receipt.differs.append(f"{path}: file {one['path']}")
            return
        self.receipt.compared += 1
        self.receipt.without_digest += not digest
        self._listing.add(path, one["path"], one, row)

    def _history(self, name: str, project: Json) -> None:
        """Store the history where the public never comes: in the intake project if there is one."""
        intake = f"{name}_INTAKE"
        place = intake if intake in self._folder.projects else name
        if place == name and project["visibility"] != "private":
            self.receipt.not_kept.append(
                f"{name}: its history stays in the export (history/{name}.json): the project is not private"
            )
            return
        resource = {"label": HISTORY, "variant": "", "format": "JSON", "content": "HISTORY", "tags": "",
                    "description": "", "files": [self._folder.history(name)]}  # fmt: skip
        self._resource(f"/data/projects/{_q(place)}", resource, place)

    # ---- at the end ---------------------------------------------------------------------------------------

    def _open(self, name: str, project: Json, state: str) -> None:
        """Give the roles, then modes and visibility; once the move is complete they are the target's."""
        if state == "foreign":
            self._people.roles(name, project, ours=False)
            self.receipt.not_kept.append(f"{name}: visibility and modes are those of the target's project")
            return
        self._people.roles(name, project, ours=state != "complete")
        if any(one["project"] == name for one in self.receipt.refused):
            self.receipt.not_kept.append(f"{name}: stays private until every file has arrived")
            return
        found = of_project.settings(self._target, name, project, write=state != "complete")
        self.receipt.differs += found
        if state != "complete":
            mark = {f"xnat:projectData/{_MARK.format(STATE)}": "complete"}
            self._target.change("PUT", f"/data/projects/{_q(name)}", "note the end of the move", params=mark)

    def _tell(self) -> None:
        self._done += 1
        if self._progress is not None:
            self._progress(self._done, max(self._total, self._done))


def _q(label: str) -> str:
    return quote(label, safe="")


def _plain(reason: str) -> str:
    """Return the text of an answer without its HTML, shortened; the net names tags, never values."""
    words = reason.replace("<", " <").split()
    return " ".join(word for word in words if not word.startswith("<"))[:300]


def _size(node: Json) -> int:
    files = sum(len(one["files"]) for one in node["resources"])
    return 1 + files + sum(_size(child) for child in node["children"])


def _types(node: Json, found: set[str]) -> None:
    found.add(node["xsi_type"])
    for child in node["children"]:
        _types(child, found)
