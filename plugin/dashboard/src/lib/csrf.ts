// XNAT's own proof that a change comes from its page: a token of this login, as query parameter of each write.
import { address } from "./root";
import { noteSignedOut, SignedOut, stillSignedIn } from "./signed-out";

let known: Promise<string> | null = null;

export function tokenIn(text: string): string | null {
  return /XNAT_CSRF=([0-9A-Za-z-]+)/.exec(text)?.[1] ?? null;
}

async function fetchToken(): Promise<string> {
  const answer = await fetch(address("/data/JSESSION", { CSRF: true }), { credentials: "same-origin" });
  const found = answer.ok && !answer.redirected ? tokenIn(await answer.text()) : null;
  if (found === null) {
    if (await stillSignedIn()) return ""; // a guest has no login to prove
    noteSignedOut();
    throw new SignedOut();
  }
  return found;
}

/** The token; asked for once. */
export function token(): Promise<string> {
  known ??= fetchToken().catch((error: unknown) => {
    known = null;
    throw error;
  });
  return known;
}

export function forgetToken(): void {
  known = null;
}
