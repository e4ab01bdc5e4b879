// A new collection: the project that is released from, and the intake project beside it, both private.
import { useState } from "preact/hooks";
import { Dialog, Refusal } from "../../components/basic";
import { write } from "../../lib/api";
import { useDraft } from "../../lib/draft";
import { forget } from "../../lib/load";
import { path } from "../../lib/root";
import { go } from "../../lib/url";

const NAME = /^[A-Za-z][A-Za-z0-9_-]{1,40}$/;

export function NewCollection({ onClose }: { onClose: () => void }) {
  const [draft, setDraft, clear] = useDraft("new collection", { name: "", about: "" });
  const [error, setError] = useState<unknown>();
  const [busy, setBusy] = useState(false);
  const good = NAME.test(draft.name) && !draft.name.endsWith("_INTAKE");
  const make = async (event: Event) => {
    event.preventDefault();
    setBusy(true);
    setError(undefined);
    try {
      for (const [id, about] of [
        [draft.name, draft.about],
        [`${draft.name}_INTAKE`, `What is received for ${draft.name}, before it is released`],
      ] as const) {
        await write("PUT", `/data${path("projects", id)}`, { params: { description: about, accessibility: "private" } });
      }
      clear();
      forget("");
      go(["c", draft.name]);
    } catch (problem) {
      setError(problem);
      setBusy(false);
    }
  };
  return (
    <Dialog title="New collection" onClose={onClose}>
      <form class="form" onSubmit={(event) => void make(event)}>
        <label class="field">
          <span>Short name</span>
          <input value={draft.name} autoFocus required aria-invalid={draft.name !== "" && !good} onInput={(event) => setDraft({ ...draft, name: event.currentTarget.value })} />
          <span class={draft.name === "" || good ? "hint" : "wrong"}>Letters, digits, _ and -, beginning with a letter. It can never be changed.</span>
        </label>
        <label class="field">
          <span>About</span>
          <textarea rows={3} value={draft.about} onInput={(event) => setDraft({ ...draft, about: event.currentTarget.value })} />
          <span class="hint">Shown to everybody when the collection becomes protected or public.</span>
        </label>
        <p class="hint">
          Makes {draft.name || "NAME"} and {draft.name || "NAME"}_INTAKE. Both are private; you are their owner.
        </p>
        <Refusal error={error} />
        <div class="actions">
          <button type="button" onClick={onClose}>
            Cancel
          </button>
          <button class="main" disabled={busy || !good}>
            Make it
          </button>
        </div>
      </form>
    </Dialog>
  );
}
