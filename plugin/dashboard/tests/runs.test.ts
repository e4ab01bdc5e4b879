import { describe, expect, it } from "vitest";
import { defacingFirst, faults, formOf, type Wrapper } from "../src/lib/launch";
import { MOST, poll, type Clock, type Turn } from "../src/lib/poll";
import { flat, newestRuns, reasonIn, runOf, stateOf } from "../src/lib/runs";

const wrapper: Wrapper = { id: 5, name: "deface-scan", label: "Remove the face", command: "", description: "", root: "scan" };

describe("runs", () => {
  it("are told by the server's words", () => {
    const words = ["Queued", "_Queued", "Staging", "Running", "die", "_Waiting", "Finalizing", "Complete", "Failed", "Failed (Upload)", "Killed (Out of Memory)", "attach"];
    expect(words.map(stateOf)).toEqual(["queued", "queued", "running", "running", "running", "running", "running", "complete", "failed", "failed", "failed", "running"]);
  });
  it("know what they worked on, however the address was written", () => {
    expect(flat("/data/archive/projects/P/subjects/S/experiments/E/scans/1")).toBe("/archive/experiments/E/scans/1");
    const run = runOf({
      id: 7,
      "wrapper-id": 5,
      status: "Failed",
      "status-time": 2000,
      "docker-image": "registry.example/lethe/deface:0.1.0",
      inputs: [
        { type: "raw", name: "modality", value: "ct" },
        { type: "raw", name: "scan", value: "/archive/experiments/E1/scans/2" },
        { type: "raw", name: "secret", value: "x", sensitive: true },
      ],
      history: [{ status: "Queued", "time-recorded": 1000 }, { status: "Failed", message: "No image was found.", "time-recorded": 2000 }],
    });
    expect(run).toMatchObject({ command: "deface", session: "E1", scan: "2", root: "scan", began: 1000, ended: 2000, noted: "No image was found." });
    expect(run.inputs).toEqual({ modality: "ct", scan: "/archive/experiments/E1/scans/2" });
  });
  it("count once for each command and object", () => {
    const one = (id: number, status: string) => runOf({ id, "wrapper-id": 5, status, inputs: [{ type: "raw", name: "scan", value: "/archive/experiments/E/scans/1" }] });
    expect(newestRuns([one(9, "Complete"), one(10, "Failed"), one(2, "Complete")]).map((run) => run.id)).toEqual(["10"]);
  });
  it("say why they failed: the command's last line, or what the archive noted", () => {
    expect(reasonIn("a\nfailed: The series holds one slice. [one-slice]\n", "out", "", "Failed")).toBe("The series holds one slice. [one-slice]");
    expect(reasonIn("", "", "Out of memory.", "Killed (Out of Memory)")).toBe("Out of memory.");
    expect(reasonIn("", "", "", "Failed (Queue)")).toBe("Failed (Queue)");
  });
});

describe("a launch", () => {
  const answer = {
    meta: { enabled: true, "root-element-name": "scan" },
    "input-config": [
      { name: "scan", type: "static", required: true, "user-settable": true },
      { name: "scan-nifti", type: "static", required: true, "user-settable": false },
      { name: "modality", label: "Kind", type: "select-one", required: true, "user-settable": true, "select-values": ["auto", "ct"] },
      { name: "level", type: "number", required: true, "user-settable": true },
    ],
    "input-values": [{ name: "modality", values: [{ value: "auto", label: "auto" }] }],
  };
  it("asks for what a person may set, with the values it has", () => {
    const found = formOf(answer, wrapper);
    expect(found.inputs.map((one) => [one.name, one.kind, one.initial])).toEqual([["scan-nifti", "fixed", ""], ["modality", "choice", "auto"], ["level", "number", ""]]);
  });
  it("is checked before it is sent", () => {
    const found = formOf(answer, wrapper);
    expect(faults(found, wrapper, { level: "3" }, ["/archive/x"])).toEqual({});
    expect(faults(found, wrapper, { modality: "pet", level: "" }, ["/archive/x"])).toEqual({ modality: "Choose one of the list.", level: "This is needed." });
    expect(Object.keys(faults({ ...found, enabled: false }, wrapper, { level: "3" }, []))).toEqual([""]);
    expect(faults({ ...found, root: "session" }, wrapper, { level: "3" }, ["/archive/x"])[""]).toContain("another kind");
  });
  it("offers de-facing first", () => {
    const names = ["check-quality-session", "deface-session", "deface-scan", "prepare-session"];
    expect(defacingFirst(names.map((name) => ({ ...wrapper, name }))).map((one) => one.name)).toEqual(["prepare-session", "deface-scan", "deface-session", "check-quality-session"]);
  });
});

describe("polling", () => {
  function clockwork() {
    const pauses: number[] = [];
    let hidden = false;
    let visible = () => {};
    let next: (() => void) | undefined;
    const clock: Clock = {
      later: (work, milliseconds) => {
        pauses.push(milliseconds);
        next = work;
        return 1;
      },
      cancel: () => (next = undefined),
      hidden: () => hidden,
      onVisible: (work) => {
        visible = work;
        return () => {};
      },
    };
    const rest = () => new Promise((done) => setTimeout(done, 0));
    return {
      clock,
      pauses,
      tick: async () => {
        next?.();
        next = undefined;
        await rest();
      },
      hide: (now: boolean) => {
        hidden = now;
        if (!now) visible();
      },
      rest,
    };
  }
  it("backs off to 15 seconds, is quick again after news, ends with the run", async () => {
    const turns: Turn[] = [...Array<Turn>(10).fill("same"), "new", "over"];
    const work = clockwork();
    let asked = 0;
    poll(async () => turns[asked++]!, work.clock);
    await work.rest();
    for (let at = 0; at < 20; at += 1) await work.tick();
    expect(asked).toBe(12);
    expect(work.pauses[0]).toBeLessThan(3000);
    expect(Math.max(...work.pauses)).toBe(MOST);
    expect(work.pauses.at(-1)).toBe(2000);
  });
  it("rests in a hidden tab and goes on when it is seen again", async () => {
    const work = clockwork();
    let asked = 0;
    const stop = poll(async () => (asked += 1, "same"), work.clock);
    await work.rest();
    work.hide(true);
    await work.tick();
    await work.tick();
    expect(asked).toBe(1);
    work.hide(false);
    await work.rest();
    expect(asked).toBe(2);
    stop();
    await work.tick();
    expect(asked).toBe(2);
  });
  it("survives a failed request", async () => {
    const work = clockwork();
    let asked = 0;
    poll(async () => {
      asked += 1;
      if (asked === 1) throw new Error("no answer");
      return "over";
    }, work.clock);
    await work.rest();
    await work.tick();
    expect(asked).toBe(2);
  });
});
