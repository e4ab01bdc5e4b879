// What the server does not do, in a sentence with what helps.

/** A refusal: the server's sentence, and what one can do about it. */
export class Refused extends Error {
  readonly status: number;
  readonly remedy: string;

  constructor(status: number, sentence: string, remedy = remedyFor(status)) {
    super(sentence);
    this.name = "Refused";
    this.status = status;
    this.remedy = remedy;
  }
}

const SENTENCES: Record<number, string> = {
  400: "The server did not understand the request.",
  401: "This needs a login.",
  403: "You may not do this.",
  404: "It is not there, or you may not see it.",
  409: "It conflicts with what is there.",
  412: "Somebody else changed it meanwhile.",
  413: "It is too large.",
  417: "The server expected something else.",
  422: "The content was refused.",
  424: "The server that runs commands is not set up.",
  500: "The server failed.",
  503: "The server is not ready.",
  507: "The disk of the server is full.",
};

const REMEDIES: Record<number, string> = {
  0: "Check the connection, then try again. Nothing was lost here.",
  401: "Log in, then try again.",
  403: "Ask an owner of the collection for a role that may.",
  404: "Check the link, or ask an owner of the collection for access.",
  409: "Reload to see the present state, then try again.",
  412: "Reload to see the present state, then try again.",
  424: "An administrator sets up the container server.",
  500: "Try again; if it stays, tell an administrator the time at which it happened.",
  503: "Try again in a moment.",
  507: "Tell an administrator.",
};

function remedyFor(status: number): string {
  return REMEDIES[status] ?? "";
}

/** The sentence of an error page, of a text or of a JSON document; a general one when there is none. */
export function explain(status: number, body: string, type: string): string {
  const general = SENTENCES[status] ?? `The server answered ${status}.`;
  if (type.includes("json")) return fromJson(body) ?? general;
  const heading = /<h3[^>]*>([\s\S]*?)<\/h3>/i.exec(body)?.[1];
  const text = heading ?? (type.includes("html") ? "" : body);
  const plain = decode(text.replace(/<[^>]*>/g, " ")).replace(/\s+/g, " ").trim();
  return plain && plain.length < 400 ? plain : general;
}

function fromJson(body: string): string | null {
  try {
    const found = JSON.parse(body) as { message?: unknown; sentence?: unknown };
    const text = found.sentence ?? found.message;
    return typeof text === "string" && text ? text : null;
  } catch {
    return null;
  }
}

function decode(text: string): string {
  const names: Record<string, string> = { amp: "&", lt: "<", gt: ">", quot: '"', "#x27": "'", "#39": "'" };
  return text.replace(/&(amp|lt|gt|quot|#x27|#39);/g, (_, name: string) => names[name] ?? "");
}

export function sentenceOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

export function remedyOf(error: unknown): string {
  return error instanceof Refused ? error.remedy : "";
}
