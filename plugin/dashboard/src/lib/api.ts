// Same-origin REST. Everything goes through here: reading, writing, refusals, being signed out.
import { forgetToken, token } from "./csrf";
import { explain, Refused } from "./refused";
import { noteSignedOut, SignedOut, stillSignedIn } from "./signed-out";
import { address, type Params } from "./root";

export { address, Refused, SignedOut };
export type { Params };

export type Method = "PUT" | "POST" | "DELETE";

export interface Sent {
  params?: Params;
  /** Sent as JSON. */
  json?: unknown;
  /** Sent as it is, with `type` as content type. */
  body?: BodyInit;
  type?: string;
  /** Such as `If-Match`; a server that does not know them passes them over. */
  headers?: Record<string, string>;
  signal?: AbortSignal;
}

/** At most four writes are under way at a time; the others wait in the order in which they came. */
const MOST_WRITES = 4;
let writing = 0;
const waiting: (() => void)[] = [];

async function slot<T>(work: () => Promise<T>): Promise<T> {
  if (writing >= MOST_WRITES) await new Promise<void>((go) => waiting.push(go));
  else writing += 1;
  try {
    return await work();
  } finally {
    const next = waiting.shift();
    if (next) next();
    else writing -= 1;
  }
}

/** A sign-in page instead of an answer: redirected, or HTML where none was asked for. */
function isLoginPage(answer: Response): boolean {
  return answer.ok && (answer.redirected || (answer.headers.get("content-type") ?? "").includes("text/html"));
}

async function checked(answer: Response): Promise<Response> {
  if (isLoginPage(answer)) {
    noteSignedOut();
    throw new SignedOut();
  }
  if (answer.ok) return answer;
  if ([401, 403, 404].includes(answer.status) && !(await stillSignedIn())) {
    noteSignedOut();
    throw new SignedOut();
  }
  throw new Refused(answer.status, explain(answer.status, await answer.text(), answer.headers.get("content-type") ?? ""));
}

async function reached(request: () => Promise<Response>): Promise<Response> {
  try {
    return await request();
  } catch (error) {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new Refused(0, "The server did not answer.");
  }
}

let reading = 0;
let quiet: () => void = () => {};

/** When the first batch of a screen's requests is answered: what the frame itself asks for comes after it. */
export const firstQuiet = new Promise<void>((done) => {
  quiet = () => setTimeout(() => reading === 0 && done(), 0);
  setTimeout(() => quiet(), 2_500); // a screen that asks for nothing
});

export async function read(path: string, params: Params = {}, signal?: AbortSignal): Promise<Response> {
  const init: RequestInit = { credentials: "same-origin", headers: { Accept: "application/json, text/plain, */*" } };
  if (signal) init.signal = signal;
  reading += 1;
  try {
    return await checked(await reached(() => fetch(address(path, params), init)));
  } finally {
    reading -= 1;
    if (reading === 0) quiet();
  }
}

export async function readJson<T>(path: string, params: Params = {}, signal?: AbortSignal): Promise<T> {
  return JSON.parse(await (await read(path, params, signal)).text()) as T;
}

export async function readText(path: string, params: Params = {}, signal?: AbortSignal): Promise<string> {
  return (await read(path, params, signal)).text();
}

/**
 * Change something. The token of this login goes along; a refusal because it grew old is tried once more with a
 * new one. An answer `{"duplicates": [...]}` means that nothing was stored and is a refusal, too.
 */
export async function write(method: Method, path: string, sent: Sent = {}): Promise<string> {
  return slot(async () => {
    let answer = await attempt(method, path, sent);
    if (answer.status === 403 && (await answer.clone().text()).includes("CSRF")) {
      forgetToken();
      answer = await attempt(method, path, sent);
    }
    const text = await (await checked(answer)).text();
    const kept = duplicates(text);
    if (kept) throw new Refused(409, `Already there, nothing was changed: ${kept.join(", ")}.`);
    return text;
  });
}

export async function writeJson<T>(method: Method, path: string, sent: Sent = {}): Promise<T> {
  return JSON.parse(await write(method, path, sent)) as T;
}

async function attempt(method: Method, path: string, sent: Sent): Promise<Response> {
  const init: RequestInit = { method, credentials: "same-origin" };
  const headers: Record<string, string> = { ...sent.headers };
  if (sent.json !== undefined) {
    init.body = JSON.stringify(sent.json);
    headers["Content-Type"] = "application/json";
  } else if (sent.body !== undefined) {
    init.body = sent.body;
    if (sent.type) headers["Content-Type"] = sent.type;
  }
  init.headers = headers;
  if (sent.signal) init.signal = sent.signal;
  const target = address(path, { ...sent.params, XNAT_CSRF: await token() });
  return reached(() => fetch(target, init));
}

function duplicates(text: string): string[] | null {
  if (!text.startsWith("{")) return null;
  try {
    const found = (JSON.parse(text) as { duplicates?: unknown }).duplicates;
    return Array.isArray(found) ? found.map(String) : null;
  } catch {
    return null;
  }
}
