// A login ends by itself after a while. Nothing that was typed is lost: a notice offers to log in in a new
// window, and the page goes on when it is looked at again.
import { address } from "./root";

export class SignedOut extends Error {
  constructor() {
    super("You were signed out.");
    this.name = "SignedOut";
  }
}

let user: string | null = null;
let out = false;
const listeners = new Set<(out: boolean) => void>();

/** Who this page was drawn for (null for a guest). Told by the session. */
export function rememberUser(login: string | null): void {
  user = login;
}

/** Ask the server who we are: a login, or null for a guest. */
export async function whoAmI(): Promise<string | null> {
  const answer = await fetch(address("/xapi/users/username"), { credentials: "same-origin" });
  const html = (answer.headers.get("content-type") ?? "").includes("html");
  if (!answer.ok || answer.redirected || html) return null;
  const name = (await answer.text()).trim();
  return name === "" || name === "guest" ? null : name;
}

/** Whether the login under which this page was drawn still holds; guests have none to lose. */
export async function stillSignedIn(): Promise<boolean> {
  return user === null || (await whoAmI().catch(() => user)) === user;
}

function tell(now: boolean): void {
  if (now === out) return;
  out = now;
  for (const listener of listeners) listener(out);
}

export function noteSignedOut(): void {
  tell(true);
}

export function isSignedOut(): boolean {
  return out;
}

/** Look whether the same person is back. Another person's page must be drawn anew. */
export async function lookAgain(): Promise<void> {
  if (!out) return;
  const now = await whoAmI().catch(() => null);
  if (now === null) return;
  if (now !== user && user !== null) location.reload();
  else tell(false);
}

export function onSignedOut(listener: (out: boolean) => void): () => void {
  listeners.add(listener);
  return () => listeners.delete(listener);
}

export function loginAddress(): string {
  return address("/app/template/Login.vm");
}
