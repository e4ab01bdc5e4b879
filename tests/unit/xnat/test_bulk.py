"""Bulk launches against a scripted Container Service that behaves as XNAT's does, oddities included."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

import pytest

from lethe.errors import Misconfigured, Refused, Unavailable
from lethe.xnat import bulk, plan, runs, targets, wrappers
from lethe.xnat.runs import Job
from lethe.xnat.targets import Scope

COMMAND = {
    "id": 3,
    "name": "deface",
    "version": "1",
    "inputs": [
        {"name": "modality", "required": True, "default-value": "auto", "select-values": ["auto", "ct"]}
    ],
    "outputs": [{"name": "defaced", "required": True}, {"name": "notes", "required": False}],
    "xnat": [
        {
            "id": 5,
            "name": "deface-scan",
            "contexts": ["xnat:imageScanData"],
            "external-inputs": [
                {"name": "scan", "type": "Scan", "matcher": "'NIFTI' in @.resources[*].label"}
            ],
            "derived-inputs": [{"name": "scan-nifti", "user-settable": False}],
            "output-handlers": [
                {"name": "d", "accepts-command-output": "defaced", "as-a-child-of": "scan", "label": "OUT"},
                {"name": "n", "accepts-command-output": "notes", "as-a-child-of": "scan"},
            ],
        }
    ],
}
WRAPPER = wrappers.wrapper_of(COMMAND, COMMAND["xnat"][0])  # type: ignore[index,arg-type]


@dataclass
class Answer:
    """A response with what the client reads of it."""

    document: Any
    status_code: int = 200
    text: str = ""

    def json(self) -> Any:
        return self.document


@dataclass
class Xnat:
    """Scans with their resources, and runs; a launch is answered and takes effect as told.

    Attributes
    ----------
    hidden : bool
        A queued run has a workflow but no container yet, as between launch and staging on XNAT.
    assigned : bool
        The launch answers with the workflow's id; else ``To be assigned``.
    """

    scans: dict[str, list[str]]
    hidden: bool = False
    assigned: bool = True
    away: int = 0
    lost_answer: bool = False
    enabled: bool = True
    offered: bool = True
    flows: list[dict[str, Any]] = field(default_factory=list)
    calls: list[str] = field(default_factory=list)

    def rows(self, path: str, what: str, **params: str) -> list[dict[str, str]]:
        del what, params
        self.calls.append(path)
        return [{"ID": "E1", "label": "S1_CT", "subject_label": "S1", "subject_ID": "X1"}]

    def request(self, method: str, path: str, what: str, **more: Any) -> Answer:
        del what
        self.calls.append(path)
        if self.away:
            self.away -= 1
            raise Unavailable("archive-unreachable", "away")
        if method == "POST":
            return self._launch(more["json"]["scan"])
        if path.endswith("/enabled"):
            return Answer({"enabled-for-site": True, "enabled-for-project": self.enabled})
        if path == "/xapi/commands/available":
            return Answer([{"wrapper-id": 5, "enabled": self.enabled}] if self.offered else [])
        if path == "/xapi/commands":
            return Answer([COMMAND])
        if path == "/data/experiments/E1":
            return Answer({"items": [{"meta": {"xsi:type": "xnat:ctSessionData"}, **self._session()}]})
        if path.endswith("/containers"):
            alive = "nonfinalized" in more.get("params", {})
            shown = [flow for flow in self.flows if not (flow["hidden"] or (alive and flow["over"]))]
            return Answer([self._container(flow) for flow in shown])
        if path.startswith("/data/services/workflows/"):
            return Answer({"ResultSet": {"Result": [self._flow(flow) for flow in self.flows]}})
        if path.startswith("/data/workflows/"):
            (flow,) = [one for one in self.flows if str(one["number"]) == path.rsplit("/", 1)[1]]
            self._move(flow)
            return Answer({"items": [{"data_fields": self._flow(flow)}]})
        if path.endswith("/stderr"):
            return Answer(None, text="noise\nfailed: The image is cut short. [cut-short]\n")
        if path.startswith("/xapi/containers/"):
            message = "The command ended with exit code 4 (refused)."
            return Answer({"history": [{"status": "Running"}, {"status": "Failed", "message": message}]})
        raise AssertionError(path)

    def _launch(self, uri: str) -> Answer:
        number = len(self.flows) + 100
        scan = uri.rsplit("/", 1)[1]
        status = "Failed" if "BAD" in self.scans[scan] else "Complete"
        self.flows.append(
            {
                "number": number,
                "uri": uri,
                "end": status,
                "status": "Queued",
                "hidden": self.hidden,
                "over": False,
            }
        )
        if self.lost_answer:
            self.lost_answer = False
            raise Unavailable("archive-unreachable", "the answer was lost")
        given = str(number) if self.assigned else bulk.UNASSIGNED
        return Answer({"status": "success", "workflow-id": given})

    def _move(self, flow: dict[str, Any]) -> None:
        """One step on: queued, running (with a container), ended."""
        if flow["over"]:
            return
        if flow["hidden"]:
            flow.update(hidden=False, status="Running")
            return
        flow.update(status=flow["end"], over=True)
        if flow["end"] == "Complete":
            self.scans[flow["uri"].rsplit("/", 1)[1]].append("OUT")

    def _container(self, flow: dict[str, Any]) -> dict[str, Any]:
        shown = {
            "id": flow["number"] - 90,
            "wrapper-id": 5,
            "status": flow["status"],
            "workflow-id": str(flow["number"]),
            "inputs": [
                {"type": "raw", "name": "modality", "value": "auto"},
                {"type": "raw", "name": "scan", "value": flow["uri"]},
            ],
        }
        self._move(flow)
        return shown

    def _flow(self, flow: dict[str, Any]) -> dict[str, Any]:
        return {
            "wrk:workflowData/wrk_workflowData_id": flow["number"],
            "pipeline_name": "deface-scan",
            "STATUS": flow["status"],
            "scan_id": flow["uri"].rsplit("/", 1)[1],
            "comments": "" if flow["hidden"] else str(flow["number"] - 90),
        }

    def _session(self) -> dict[str, Any]:
        def resource(label: str) -> dict[str, Any]:
            return {"data_fields": {"label": label.removesuffix("0"), "file_count": int(label[-1] != "0")}}

        scans = [
            {
                "data_fields": {"ID": number, "type": "T"},
                "meta": {"xsi:type": "xnat:ctScanData"},
                "children": [{"field": "file", "items": [resource(label) for label in labels]}],
            }
            for number, labels in self.scans.items()
        ]
        return {"data_fields": {}, "children": [{"field": "scans/scan", "items": scans}]}


def uri(scan: str) -> str:
    return f"/archive/experiments/E1/scans/{scan}"


def carry_out(xnat: Xnat, *, again: bool = False, **more: Any) -> list[bulk.Ended]:
    """Plan and run without waiting."""
    chosen = plan.plan(xnat, WRAPPER, Scope("P"), again=again)  # type: ignore[arg-type]
    return bulk.follow(
        xnat,  # type: ignore[arg-type]
        "P",
        [Job(WRAPPER, target.uri) for target in chosen.waiting],
        running={Job(WRAPPER, one): number for one, number in chosen.running.items()},
        newest=chosen.newest,
        sleep=lambda _: None,
        **more,
    )


def test_a_wrapper_knows_which_resources_a_good_run_leaves() -> None:
    assert WRAPPER.results == ("OUT",)
    assert (WRAPPER.root, WRAPPER.root_type) == ("scan", "Scan")


@pytest.mark.requirement("L-15")
def test_only_what_fits_and_lacks_results_is_planned() -> None:
    xnat = Xnat({"1": ["NIFTI"], "2": ["NIFTI", "OUT"], "3": ["DICOM"], "4": ["NIFTI", "OUT0"]})
    chosen = plan.plan(xnat, WRAPPER, Scope("P"))  # type: ignore[arg-type]
    assert [target.uri for target in chosen.waiting] == [uri("1"), uri("4")]
    assert [target.uri for target in chosen.done] == [uri("2")]
    everything = plan.plan(xnat, WRAPPER, Scope("P"), again=True)  # type: ignore[arg-type]
    assert len(everything.waiting) == 3


@pytest.mark.parametrize("hidden", [False, True])
@pytest.mark.parametrize("assigned", [False, True])
def test_runs_are_followed_with_and_without_a_workflow_id_at_the_launch(hidden: bool, assigned: bool) -> None:
    xnat = Xnat({"1": ["NIFTI"], "2": ["NIFTI", "BAD"]}, hidden=hidden, assigned=assigned)
    ended = {run.job.root_uri: run for run in carry_out(xnat)}
    assert ended[uri("1")].complete
    assert (ended[uri("2")].status, ended[uri("2")].container) == ("Failed", "11")
    assert ended[uri("2")].reason == "The image is cut short. [cut-short]"
    assert len(xnat.flows) == 2


def test_a_run_that_xnat_has_queued_but_not_staged_is_not_launched_again() -> None:
    xnat = Xnat({"1": ["NIFTI"]}, hidden=True)
    xnat._launch(uri("1"))
    (ended,) = carry_out(xnat)
    assert ended.complete
    assert len(xnat.flows) == 1


def test_a_failed_run_does_not_hide_a_new_one_without_workflow_id() -> None:
    xnat = Xnat({"1": ["NIFTI", "BAD"]}, assigned=False)
    assert not carry_out(xnat)[0].complete
    xnat.scans["1"] = ["NIFTI"]
    (ended,) = carry_out(xnat)
    assert ended.complete
    assert len(xnat.flows) == 2


@pytest.mark.parametrize("hidden", [False, True])
def test_a_launch_whose_answer_was_lost_is_not_sent_twice(hidden: bool) -> None:
    xnat = Xnat({"1": ["NIFTI"], "2": ["NIFTI"]}, hidden=hidden, lost_answer=True)
    ended = carry_out(xnat)
    assert [run.complete for run in ended] == [True, True]
    assert len(xnat.flows) == 2


def test_a_launch_that_never_arrived_is_sent_again() -> None:
    xnat = Xnat({"1": ["NIFTI"]})
    chosen = plan.plan(xnat, WRAPPER, Scope("P"))  # type: ignore[arg-type]
    xnat.away = 3
    (ended,) = bulk.follow(
        xnat,  # type: ignore[arg-type]
        "P",
        [Job(WRAPPER, uri("1"))],
        newest=chosen.newest,
        sleep=lambda _: None,
    )
    assert ended.complete
    assert len(xnat.flows) == 1


def test_an_archive_that_stays_away_ends_the_waiting() -> None:
    xnat = Xnat({"1": ["NIFTI"]})
    seconds = iter(range(0, 10**6, 100))
    chosen = plan.plan(xnat, WRAPPER, Scope("P"))  # type: ignore[arg-type]
    xnat.away = 10**6
    with pytest.raises(Unavailable):
        bulk.follow(
            xnat,  # type: ignore[arg-type]
            "P",
            [Job(WRAPPER, uri("1"))],
            newest=chosen.newest,
            clock=lambda: float(next(seconds)),
            sleep=lambda _: None,
        )


@pytest.mark.requirement("L-15")
def test_a_poll_is_one_listing_however_many_runs_there_are() -> None:
    xnat = Xnat({str(number): ["NIFTI"] for number in range(1, 26)})
    tallies: list[bulk.Tally] = []
    ended = carry_out(xnat, report=tallies.append)
    assert len(ended) == 25
    listings = sum(path.endswith("/containers") for path in xnat.calls)
    assert listings == len(tallies) + 1  # one more for the plan
    assert sum(bool(re.search("/data/experiments/E1$", path)) for path in xnat.calls) == 1
    assert (tallies[-1].done, tallies[-1].total, tallies[-1].left_s) == (25, 25, 0.0)


def test_a_complete_run_without_its_result_is_a_failure() -> None:
    xnat = Xnat({"1": ["NIFTI"]})
    (ended,) = carry_out(xnat)
    xnat.scans["1"].remove("OUT")
    (checked,) = bulk.confirm(xnat, Scope("P"), [ended])  # type: ignore[arg-type]
    assert checked.status == "Failed (Upload)"
    assert checked.reason == "The run ended well, but the archive holds no OUT."


def test_failures_are_grouped_by_code_or_by_text_without_numbers() -> None:
    texts = ["3 images are missing. [gap]", "5 images are missing. [gap]", "Exit code 7.", "Exit code 9."]
    texts.append("Killed.")
    runs_ = [bulk.Ended(Job(WRAPPER, uri(str(at))), "Failed", text) for at, text in enumerate(texts)]
    runs_.append(bulk.Ended(Job(WRAPPER, uri("9")), "Complete"))
    groups = bulk.by_reason(runs_)
    assert [(group.reason, len(group.ended)) for group in groups] == [
        ("3 images are missing. [gap]", 2),
        ("Exit code 7.", 2),
        ("Killed.", 1),
    ]


@pytest.mark.parametrize(
    ("inputs", "server", "code"),
    [
        ({"colour": "x"}, {}, "no-input"),
        ({"modality": "us"}, {}, "no-value"),
        ({}, {"enabled": False}, "not-enabled"),
        ({}, {"offered": False}, "not-offered"),
    ],
)
def test_what_xnat_would_only_fail_on_later_is_refused_before_the_launch(
    inputs: dict[str, str], server: dict[str, bool], code: str
) -> None:
    xnat = Xnat({}, **server)  # type: ignore[arg-type]
    with pytest.raises(Misconfigured) as refused:
        wrappers.ready(xnat, "P", "deface-scan", inputs)  # type: ignore[arg-type]
    assert refused.value.code == code
    xnat.enabled = xnat.offered = True
    assert wrappers.ready(xnat, "P", "deface-scan", {"modality": "ct"}) == WRAPPER  # type: ignore[arg-type]


def test_a_session_that_is_not_there_is_said() -> None:
    with pytest.raises(Refused, match="no such session"):
        targets.targets(Xnat({}), WRAPPER, Scope("P", session="S9"))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "spelled",
    [
        "/archive/experiments/E1/scans/1",
        "/data/archive/experiments/E1/scans/1",
        "/archive/projects/P/subjects/S/experiments/E1/scans/1",
        "/data/archive/projects/P/subjects/S/experiments/E1/scans/1",
    ],
)
def test_an_object_is_the_same_however_its_address_is_spelled(spelled: str) -> None:
    assert runs.flat(spelled) == "/archive/experiments/E1/scans/1"
    assert Job(WRAPPER, spelled).key == (5, uri("1"))
