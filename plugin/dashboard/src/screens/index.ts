// The screens and their tabs; a screen is the default export of its file. What one opens first comes with the
// start page, the others are loaded when they are opened.
import type { ComponentType } from "preact";
import Collections from "./collections";
import Overview from "./overview";
import Runs from "./runs";
import Session from "./session";
import Subjects from "./subjects";
import type { Rights } from "../lib/session";
import type { ScreenProps } from "../app";

type Loader = () => Promise<{ default: ComponentType<ScreenProps> }>;

export type ScreenName = "collections" | "overview" | "subjects" | "session" | "review" | "clinical" | "runs" | "people" | "release";

const at = (screen: ComponentType<ScreenProps>): Loader => () => Promise.resolve({ default: screen });

export const screens: Record<ScreenName, Loader> = {
  collections: at(Collections),
  overview: at(Overview),
  subjects: at(Subjects),
  session: at(Session),
  review: () => import("./review"),
  clinical: () => import("./clinical"),
  runs: at(Runs),
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
