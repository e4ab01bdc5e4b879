// Giving a verdict and taking it back.
import { Refused } from "../../lib/api";
import { forget } from "../../lib/load";
import { autoVerdict, putAssessment, putQuality, qualityOf, record, type Collected, type Report, type Shown } from "./data";
import { residualWord, type Marks } from "./marks";
import { ownLabel, type Assessment, type Item } from "./queue";

/** A verdict that was stored from this page. */
export interface Given {
  item: Item;
  verdict: string;
  label: string;
  reader: string;
  /** What this reader's assessor said before; empty when it is new. */
  verdictBefore: string;
  qualityBefore: string;
}

function statement(item: Item, reader: string, verdict: string, marks: Marks, views: readonly string[], report?: Report): Record<string, string> {
  const machine = item.machine;
  return {
    scan_id: item.scan,
    scan_type: item.scanType,
    method: machine?.method || report?.method || "",
    method_version: machine?.methodVersion || report?.methodVersion || "",
    verdict,
    auto_verdict: autoVerdict(item, report),
    face_residual: residualWord(marks.residual),
    brain_damage: marks.brain,
    removed_ml: machine?.removedMl || report?.removedMl || "",
    brain_kept_percent: machine?.brainKept ?? "",
    residual_face_score: machine?.score ?? "",
    reviewer: reader,
    reviewed_at: new Date().toISOString().slice(0, 19),
    reviewed_views: views.join(", "),
    remarks: marks.remarks,
  };
}

/** Store a reader's verdict as an assessor of its own, and the scan's quality with it. */
export async function give(
  found: Collected,
  item: Item,
  reader: string,
  verdict: string,
  marks: Marks,
  views: readonly string[],
  shown: Shown | undefined,
  stored: readonly Assessment[],
): Promise<Given> {
  if (!item.machine && found.defaced.includes(item.key)) {
    // the word of a person counts for a result that is on record
    await record(found.project, item, found.assessments).catch((error: unknown) => {
      if (!(error instanceof Refused && error.status === 412)) throw error; // it is there meanwhile
    });
  }
  const known = [...found.assessments, ...stored];
  const { label, isNew } = ownLabel(item, reader, known);
  const before = known.filter((one) => one.label === label).at(-1);
  await putAssessment(found.project, item, { label, isNew, values: statement(item, reader, verdict, marks, views, shown?.report) });
  await putQuality(found.project, item, qualityOf(verdict));
  forget(`${found.project} `);
  return { item, verdict, label, reader, verdictBefore: before?.verdict ?? "", qualityBefore: shown?.quality ?? "" };
}

/** What this page stored, as the next load of the queue would show it. */
export function said({ item, label, reader }: Given, verdict: string): Assessment {
  return {
    id: "", label, sessionId: item.sessionId, session: item.session, subject: item.subject, scan: item.scan, scanType: item.scanType, verdict, autoVerdict: "",
    reviewer: reader, removedMl: "", brainKept: "", score: "", residual: "", brain: "", remarks: "", method: "", methodVersion: "", at: Number.MAX_SAFE_INTEGER,
  };
}

/** A verdict that is taken back stays on record as "pending"; the scan's quality is as it was. */
export async function takeBack(found: Collected, { item, label, verdictBefore, qualityBefore }: Given): Promise<void> {
  await putAssessment(found.project, item, { label, isNew: false, values: { verdict: verdictBefore || "pending" } });
  if (qualityBefore) await putQuality(found.project, item, qualityBefore);
  forget(`${found.project} `);
}
