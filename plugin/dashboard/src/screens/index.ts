// The screens and their tabs. Each is loaded when it is opened; a screen is the default export of its file.
import type { ComponentType } from "preact";
import type { Rights } from "../lib/session";
import type { ScreenProps } from "../app";

type Loader = () => Promise<{ default: ComponentType<ScreenProps> }>;

export type ScreenName = "collections" | "overview" | "subjects" | "session" | "review" | "clinical" | "runs" | "people" | "release";

export const screens: Record<ScreenName, Loader> = {
  collections: () => import("./collections"),
  overview: () => import("./overview"),
  subjects: () => import("./subjects"),
  session: () => import("./session"),
  review: () => import("./review"),
  clinical: () => import("./clinical"),
  runs: () => import("./runs"),
  people: () => import("./people"),
  release: () => import("./release"),
};

export interface Tab {
  name: ScreenName;
  title: string;
  /** The right without which the tab is not there. */
  needs?: keyof Rights;
}

export const tabs: readonly Tab[] = [
  { name: "overview", title: "Overview" },
  { name: "subjects", title: "Subjects" },
  { name: "review", title: "Review", needs: "edit" },
  { name: "clinical", title: "Clinical", needs: "read" },
  { name: "runs", title: "Runs", needs: "edit" },
  { name: "people", title: "People", needs: "manage" },
  { name: "release", title: "Release", needs: "read" },
];
