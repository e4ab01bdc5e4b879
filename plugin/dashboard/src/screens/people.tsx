// People and access: who may what, who asks, what outsiders see, and what was changed.
import { useState } from "preact/hooks";
import type { ScreenProps } from "../app";
import { Ago, Badge, Dialog, Panel, Refusal, Skeleton } from "../components/basic";
import { forget, useLoad } from "../lib/load";
import type { Visibility } from "../lib/session";
import { decide, grant, GROUPS, historyOf, peopleOf, revoke, setVisibility, type Group, type People, type Person, type Wish } from "./people/data";
import { INTAKE_RULE, LEVELS, opens } from "./people/levels";
import "./people/people.css";

type Run = (work: () => Promise<void>) => Promise<boolean>;

export default function PeopleScreen({ project, who }: ScreenProps) {
  const { value, error, reload } = useLoad((signal) => peopleOf(project, signal), [project]);
  const history = useLoad((signal) => (value ? historyOf(project, signal) : Promise.resolve([])), [project, value]);
  const [refusal, setRefusal] = useState<unknown>();
  const [busy, setBusy] = useState(false);

  const run: Run = async (work) => {
    setBusy(true);
    setRefusal(undefined);
    try {
      await work();
      return true;
    } catch (failure) {
      setRefusal(failure);
      return false;
    } finally {
      setBusy(false);
      forget("collections");
      reload();
    }
  };

  return (
    <>
      <div class="title">
        <h1>People and access</h1>
        <span class="soft" role="status">
          {busy ? "Storing …" : ""}
        </span>
      </div>
      <Refusal error={error} retry={reload} />
      <Refusal error={refusal} />
      {!value && !error && <Skeleton lines={10} label="Loading the people" />}
      {value && (
        <div class="people">
          <div>
            <Requests project={project} wishes={value.wishes} busy={busy} run={run} />
            <Roles project={project} found={value} self={who?.login ?? ""} busy={busy} run={run} />
          </div>
          <div>
            <Seen project={project} visibility={value.visibility} busy={busy} run={run} />
            <Panel title="History">
              {history.value?.length ? (
                <ol class="history">
                  {history.value.slice(0, 100).map((one) => (
                    <li key={one.id}>
                      <Ago at={one.at} />
                      <span>
                        <strong>{one.who}</strong> {one.what}
                      </span>
                    </li>
                  ))}
                </ol>
              ) : (
                <p class="soft">{history.value ? "No change is on record." : ""}</p>
              )}
            </Panel>
          </div>
        </div>
      )}
    </>
  );
}

function titleOf(role: Group): string {
  return GROUPS.find((one) => one.role === role)!.title;
}

function Requests({ project, wishes, busy, run }: { project: string; wishes: readonly Wish[]; busy: boolean; run: Run }) {
  const open = wishes.filter((one) => one.requested);
  const invited = wishes.filter((one) => !one.requested);
  if (!wishes.length) return null;
  return (
    <Panel title={open.length ? `${open.length === 1 ? "One person asks" : `${open.length} people ask`} for access` : "Invitations"} class={open.length ? "urgent" : ""}>
      <ul class="wishes">
        {open.map((wish) => (
          <Request key={wish.id} project={project} wish={wish} busy={busy} run={run} />
        ))}
        {invited.map((wish) => (
          <li key={wish.id}>
            <div>
              <strong>{wish.login || wish.email}</strong> was invited as {titleOf(wish.role).toLowerCase()} <Ago at={wish.asked} />; the person has not answered yet.
            </div>
          </li>
        ))}
      </ul>
    </Panel>
  );
}

function Request({ project, wish, busy, run }: { project: string; wish: Wish; busy: boolean; run: Run }) {
  const [role, setRole] = useState<Group>(wish.role);
  const approve = () =>
    run(async () => {
      await decide(wish.id, true);
      if (role !== wish.role) await grant(project, wish.login, role);
    });
  return (
    <li>
      <div>
        <strong>{wish.login || wish.email}</strong> asks to be {titleOf(wish.role).toLowerCase()} <Ago at={wish.asked} />
        <blockquote>{wish.justification || "No reason was given."}</blockquote>
      </div>
      <div class="actions">
        <RoleSelect label={`Role for ${wish.login}`} value={role} onChange={setRole} />
        <button type="button" class="main" disabled={busy} onClick={() => void approve()}>
          Approve
        </button>
        <button type="button" class="danger" disabled={busy} onClick={() => void run(() => decide(wish.id, false))}>
          Deny
        </button>
      </div>
    </li>
  );
}

function RoleSelect({ label, value, onChange, disabled = false }: { label: string; value: Group; onChange: (role: Group) => void; disabled?: boolean }) {
  return (
    <select aria-label={label} value={value} disabled={disabled} onChange={(event) => onChange(event.currentTarget.value as Group)}>
      {GROUPS.map((one) => (
        <option key={one.role} value={one.role}>
          {one.title}
        </option>
      ))}
    </select>
  );
}

function Roles({ project, found, self, busy, run }: { project: string; found: People; self: string; busy: boolean; run: Run }) {
  const owners = found.people.filter((one) => one.role === "owner");
  const [leaving, setLeaving] = useState<Person>();
  return (
    <Panel title="Who has a role">
      <table class="roles">
        <thead>
          <tr>
            <th scope="col">Person</th>
            <th scope="col">Role</th>
            <th scope="col">
              <span class="away">Remove</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {found.people.map((one) => {
            const last = one.role === "owner" && owners.length === 1;
            const title = last ? "The last owner stays: name another one first." : undefined;
            return (
              <tr key={one.login}>
                <th scope="row">
                  {one.login} {one.login === self && <Badge>you</Badge>}
                  <span class="soft">{[one.name, one.email].filter(Boolean).join(" · ")}</span>
                </th>
                <td title={title}>
                  <RoleSelect label={`Role of ${one.login}`} value={one.role} disabled={busy || last} onChange={(role) => void run(() => grant(project, one.login, role))} />
                </td>
                <td>
                  {!last && (
                    <button type="button" class="quiet danger" disabled={busy} aria-label={`Remove ${one.login}`} onClick={() => setLeaving(one)}>
                      Remove
                    </button>
                  )}
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <Add project={project} busy={busy} run={run} />
      <dl class="legend">
        {GROUPS.map((one) => (
          <div key={one.role}>
            <dt>{one.title}</dt>
            <dd>{one.may}</dd>
          </div>
        ))}
      </dl>
      {leaving && (
        <Dialog title={`Remove ${leaving.login}?`} onClose={() => setLeaving(undefined)}>
          <div class="form">
            <p>
              {leaving.login === self ? "You lose" : `${leaving.login} loses`} the role of {titleOf(leaving.role).toLowerCase()} in {project} at once. Nothing that was stored is
              removed.
            </p>
            <div class="actions">
              <button type="button" onClick={() => setLeaving(undefined)}>
                Cancel
              </button>
              <button type="button" class="danger" onClick={() => void run(() => revoke(project, leaving.login, leaving.role)).then(() => setLeaving(undefined))}>
                Remove
              </button>
            </div>
          </div>
        </Dialog>
      )}
    </Panel>
  );
}

function Add({ project, busy, run }: { project: string; busy: boolean; run: Run }) {
  const [login, setLogin] = useState("");
  const [role, setRole] = useState<Group>("collaborator");
  return (
    <form
      class="add"
      onSubmit={(event) => {
        event.preventDefault();
        if (login.trim()) void run(() => grant(project, login.trim(), role)).then((done) => done && setLogin(""));
      }}
    >
      <label>
        Add a person
        <input value={login} placeholder="login or e-mail address" autocomplete="off" onInput={(event) => setLogin(event.currentTarget.value)} />
      </label>
      <RoleSelect label="Role of the new person" value={role} onChange={setRole} />
      <button type="submit" disabled={busy || !login.trim()}>
        Add
      </button>
    </form>
  );
}

function Seen({ project, visibility, busy, run }: { project: string; visibility: Visibility; busy: boolean; run: Run }) {
  const [wanted, setWanted] = useState<Visibility>();
  const isIntake = project.endsWith("_INTAKE");
  return (
    <Panel title="What others see">
      <ul class="levels">
        {LEVELS.map((one) => (
          <li key={one.level} class={one.level === visibility ? "now" : ""}>
            <div>
              <strong>{one.title}</strong> {one.level === visibility && <Badge tone={one.level === "private" ? "good" : "warn"}>now</Badge>}
              <p class="soft">{one.opens}</p>
            </div>
            {one.level !== visibility && !(isIntake && one.level !== "private") && (
              <button type="button" disabled={busy} onClick={() => setWanted(one.level)}>
                Make {one.level}
              </button>
            )}
          </li>
        ))}
      </ul>
      {isIntake && <p class="hint">{INTAKE_RULE}</p>}
      {wanted && (
        <Dialog title={`Make ${project} ${wanted}?`} onClose={() => setWanted(undefined)}>
          <div class="form">
            <ul>
              {opens(visibility, wanted).map((line) => (
                <li key={line}>{line}</li>
              ))}
            </ul>
            <div class="actions">
              <button type="button" onClick={() => setWanted(undefined)}>
                Cancel
              </button>
              <button type="button" class="main" onClick={() => void run(() => setVisibility(project, wanted)).then(() => setWanted(undefined))}>
                Make it {wanted}
              </button>
            </div>
          </div>
        </Dialog>
      )}
    </Panel>
  );
}
