// Who looks at the page, and what that person may do in a collection. Hides buttons; the server decides.
import { readJson } from "./api";
import { once } from "./load";
import { path } from "./root";
import { spelling, type ResultSet } from "./rows";
import { rememberUser, whoAmI } from "./signed-out";

export interface Session {
  /** Null for a guest. */
  login: string | null;
  isAdmin: boolean;
}

export type Role = "owner" | "member" | "collaborator" | "";
export type Visibility = "private" | "protected" | "public";

export interface Collection {
  id: string;
  name: string;
  description: string;
  pi: string;
  visibility: Visibility;
  role: Role;
}

export interface Rights {
  /** Read the data. */
  read: boolean;
  /** Create, edit, launch. */
  edit: boolean;
  /** Delete, people, visibility. */
  manage: boolean;
}

const ADMIN_ROLES = new Set(["Administrator"]);

export function session(): Promise<Session> {
  return once(
    "session",
    async () => {
      const login = await whoAmI();
      rememberUser(login);
      if (login === null) return { login, isAdmin: false };
      const roles = await readJson<string[]>(`/xapi/users${path(login)}/roles`).catch(() => []);
      return { login, isAdmin: roles.some((role) => ADMIN_ROLES.has(role)) };
    },
    86_400,
  );
}

const ROLES: Record<string, Role> = { owners: "owner", members: "member", collaborators: "collaborator" };

/** The collections one may see, with the own role in each. */
export function collections(): Promise<Collection[]> {
  return once("collections", async () => {
    // the second list is of those that one may know of without being let in: protected ones, to ask for access
    const lists = await Promise.all([true, false].map((accessible) => readJson<ResultSet>("/data/projects", { format: "json", accessible })));
    const found = new Map<string, Collection>();
    for (const row of lists.flatMap((one) => one.ResultSet.Result).map(collection)) if (!found.has(row.id)) found.set(row.id, row);
    return [...found.values()].sort((one, other) => one.id.localeCompare(other.id));
  });
}

export function collection(row: Record<string, string>): Collection {
  const keys = Object.keys(row);
  const cell = (name: string) => row[spelling(keys, name) ?? ""] ?? "";
  const role = keys.find((key) => /^user_role_\d+$/i.test(key));
  const visibility = cell("project_access").toLowerCase();
  return {
    id: cell("id"),
    name: cell("name"),
    description: cell("description"),
    pi: cell("pi"),
    visibility: visibility === "public" || visibility === "protected" ? visibility : "private",
    role: ROLES[(row[role ?? ""] ?? "").toLowerCase()] ?? "",
  };
}

export function rightsIn(one: Collection | undefined, who: Session): Rights {
  if (who.isAdmin) return { read: true, edit: true, manage: true };
  const role = one?.role ?? "";
  return {
    read: role !== "" || one?.visibility === "public",
    edit: role === "owner" || role === "member",
    manage: role === "owner",
  };
}
