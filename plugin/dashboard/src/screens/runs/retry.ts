import { Refused, writeJson } from "../../lib/api";
import { path } from "../../lib/root";
import type { Run } from "../../lib/runs";

/** Launch the same command on the same object with the same inputs. */
export async function retry(project: string, run: Run): Promise<void> {
  if (!run.root || !run.target) throw new Refused(400, `Run ${run.id} does not tell what it was launched on.`, "Launch it anew from the session's page.");
  const answer = await writeJson<{ status?: string; message?: string }>("POST", `/xapi${path("projects", project, "wrappers", String(run.wrapper), "root", run.root, "launch")}`, {
    json: { ...run.inputs, [run.root]: run.target },
  });
  if (answer.status === "failure") throw new Refused(500, answer.message || "The launch was not taken.");
}
