// Ask the owners of a collection for access, with the reason.
import { useState } from "preact/hooks";
import { askForAccess } from "../lib/collection";
import { useDraft } from "../lib/draft";
import { address } from "../lib/root";
import type { Session } from "../lib/session";
import { Dialog, Refusal } from "./basic";

export function AskForAccess({ project, who }: { project: string; who: Session | undefined }) {
  const [open, setOpen] = useState(false);
  const [sent, setSent] = useState(false);
  if (!who) return null;
  if (who.login === null) {
    return (
      <a class="button" href={address("/app/template/Login.vm", { goal: location.pathname + location.hash })}>
        Log in to ask for access
      </a>
    );
  }
  if (sent) return <span class="badge good">asked</span>;
  return (
    <>
      <button type="button" onClick={() => setOpen(true)}>
        Ask for access
      </button>
      {open && <Form project={project} onClose={() => setOpen(false)} onSent={() => (setSent(true), setOpen(false))} />}
    </>
  );
}

function Form({ project, onClose, onSent }: { project: string; onClose: () => void; onSent: () => void }) {
  const [text, setText, clear] = useDraft(`access ${project}`, "");
  const [level, setLevel] = useState("collaborator");
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const send = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      await askForAccess(project, level, text.trim());
      clear();
      onSent();
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog title={`Ask for access to ${project}`} onClose={onClose}>
      <form class="form" onSubmit={(event) => void send(event)}>
        <label class="field">
          <span>What will you use the data for?</span>
          <textarea rows={5} maxLength={2000} required value={text} onInput={(event) => setText(event.currentTarget.value)} />
          <span class="hint">The owners read this when they decide.</span>
        </label>
        <label class="field">
          <span>Role</span>
          <select value={level} onChange={(event) => setLevel(event.currentTarget.value)}>
            <option value="collaborator">collaborator: read and download</option>
            <option value="member">member: also prepare data</option>
          </select>
        </label>
        <Refusal error={error} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="main" disabled={busy || !text.trim()}>
            Send to the owners
          </button>
        </div>
      </form>
    </Dialog>
  );
}
