// People of a collection: roles, requests, visibility, history.
import { read, readText, Refused, write } from "../../lib/api";
import { path } from "../../lib/root";
import { rows } from "../../lib/rows";
import type { Role, Visibility } from "../../lib/session";

export type Group = Exclude<Role, "">;

export const GROUPS: readonly { role: Group; group: string; title: string; may: string }[] = [
  { role: "owner", group: "Owners", title: "Owner", may: "Everything: people, visibility, release, deleting" },
  { role: "member", group: "Members", title: "Member", may: "Add and change data, launch commands; not delete" },
  { role: "collaborator", group: "Collaborators", title: "Collaborator", may: "Read and download" },
];

export interface Person {
  login: string;
  name: string;
  email: string;
  role: Group;
}

export interface Wish {
  id: string;
  login: string;
  email: string;
  role: Group;
  justification: string;
  asked: string;
  /** Asked by the person; else an invitation that waits for the person. */
  requested: boolean;
}

export interface People {
  people: Person[];
  wishes: Wish[];
  visibility: Visibility;
}

function roleOf(row: Record<string, string>): Group {
  const text = `${row.displayname ?? ""} ${row.GROUP_ID ?? ""}`.toLowerCase();
  return text.includes("owner") ? "owner" : text.includes("collaborator") ? "collaborator" : "member";
}

/** Three requests. */
export async function peopleOf(project: string, signal: AbortSignal): Promise<People> {
  const base = `/data${path("projects", project)}`;
  const [users, wishes, level] = await Promise.all([
    rows(`${base}/users`, {}, ["login", "firstname", "lastname", "email", "displayname", "GROUP_ID"], signal),
    rows(`${base}/pars`, {}, ["par_id", "login", "email", "level", "create_date", "approved", "requested", "justification"], signal),
    readText(`${base}/accessibility`, {}, signal),
  ]);
  const visibility = level.trim();
  return {
    people: users
      .map((row) => ({ login: row.login, name: [row.firstname, row.lastname].filter(Boolean).join(" "), email: row.email, role: roleOf(row) }))
      .sort((one, other) => order(one.role) - order(other.role) || one.login.localeCompare(other.login)),
    wishes: wishes
      .filter((row) => row.approved === "")
      .map((row) => ({
        id: row.par_id,
        login: row.login,
        email: row.email,
        role: roleOf({ displayname: row.level }),
        justification: row.justification,
        asked: row.create_date,
        requested: row.requested === "true",
      })),
    visibility: visibility === "public" || visibility === "protected" ? visibility : "private",
  };
}

function order(role: Group): number {
  return GROUPS.findIndex((one) => one.role === role);
}

function groupOf(role: Group): string {
  return GROUPS[order(role)]!.group;
}

function userPath(project: string, role: Group, login: string): string {
  return `/data${path("projects", project, "users", groupOf(role), login)}`;
}

/** Give a role; it replaces the one that a person has. The server ignores a login that it does not know: look. */
export async function grant(project: string, login: string, role: Group): Promise<void> {
  await write("PUT", userPath(project, role, login), { params: { format: "json" } });
  const users = await rows(`/data${path("projects", project, "users")}`, {}, ["login", "email"]);
  const wanted = login.toLowerCase();
  if (!users.some((one) => one.login.toLowerCase() === wanted || one.email.toLowerCase() === wanted) && !login.includes("@")) {
    throw new Refused(404, "There is no account with this login.", "Check the spelling, or ask an administrator for an account; an e-mail address becomes an invitation.");
  }
}

export async function revoke(project: string, login: string, role: Group): Promise<void> {
  await write("DELETE", userPath(project, role, login), { params: { format: "json" } });
}

export async function decide(id: string, accept: boolean): Promise<void> {
  await write("PUT", `/data${path("pars", id)}`, { params: { [accept ? "accept" : "decline"]: true, format: "json" } });
}

export async function setVisibility(project: string, level: Visibility): Promise<void> {
  await write("PUT", `/data${path("projects", project, "accessibility", level)}`);
}

export interface Event {
  id: string;
  at: string;
  who: string;
  what: string;
}

/** What was done to the project, newest first; a server that does not tell has no history. */
export async function historyOf(project: string, signal: AbortSignal): Promise<Event[]> {
  const answer = await read(`/data${path("projects", project, "history")}`, { format: "json" }, signal).catch((error: unknown) => {
    if (error instanceof Refused) return null;
    throw error;
  });
  if (!answer || !(answer.headers.get("content-type") ?? "").includes("json")) return [];
  const found = (await answer.json()) as { ResultSet?: { Result?: Record<string, string>[] } };
  return (found.ResultSet?.Result ?? [])
    .map((row) => ({ id: row.event_id ?? "", at: row.event_date ?? "", who: row.event_user ?? "", what: row.event_action ?? "" }))
    .filter((one) => one.what)
    .reverse();
}
