// The frame: who is logged in, where we are, the tabs of a collection, and the screen that the address names.
import { Component, type ComponentChildren, type ComponentType } from "preact";
import { useEffect } from "preact/hooks";
import { Refusal, Skeleton } from "./components/basic";
import { SignedOutNotice } from "./components/SignedOutNotice";
import { ThemeButton } from "./components/ThemeButton";
import { firstQuiet } from "./lib/api";
import { useLoad } from "./lib/load";
import { address } from "./lib/root";
import { collections, rightsIn, session, type Collection, type Rights, type Session } from "./lib/session";
import { href, useRoute, type Route } from "./lib/url";
import { screens, tabs, type ScreenName } from "./screens";

/** What every screen is given. */
export interface ScreenProps {
  route: Route;
  /** Id of the project; empty on the list of collections. */
  project: string;
  /** Undefined until known: a screen begins its own requests at once and does not wait for it. */
  who: Session | undefined;
  collection: Collection | undefined;
  rights: Rights;
}

const NOTHING: Rights = { read: false, edit: false, manage: false };

/** The screen that a path names; `x` are the parts behind it. */
export function screenOf(path: readonly string[]): { name: ScreenName; project: string } | null {
  if (path.length === 0) return { name: "collections", project: "" };
  const [head, project = "", word = "overview"] = path;
  if (head !== "c" || !project) return null;
  if (word === "s") return path[3] ? { name: "session", project } : null;
  return word in screens && word !== "collections" && word !== "session" ? { name: word as ScreenName, project } : null;
}

export function App() {
  const route = useRoute();
  const found = screenOf(route.path);
  const project = found?.project ?? "";
  // The frame's own requests leave after the first ones of the screen: the numbers come first.
  const who = useLoad(() => firstQuiet.then(session), []).value;
  const known = useLoad(() => firstQuiet.then(collections), [who?.login]).value;
  const collection = known?.find((one) => one.id === project);
  const rights = who ? rightsIn(collection, who) : NOTHING;

  useEffect(() => {
    const main = document.getElementById("content");
    document.title = [found ? tabs.find((tab) => tab.name === found.name)?.title : "", project, "Lethe"].filter(Boolean).join(" · ");
    if (document.activeElement === document.body) main?.focus({ preventScroll: true });
  }, [found?.name, project]);

  return (
    <>
      <a class="skip" href="#content" onClick={(event) => (event.preventDefault(), document.getElementById("content")?.focus())}>
        Skip to content
      </a>
      <header class="top">
        <a class="brand" href={href([])}>
          <svg viewBox="0 0 24 24" aria-hidden="true">
            <path d="M3 9c3-4 6-4 9 0s6 4 9 0M3 16c3-4 6-4 9 0s6 4 9 0" />
          </svg>
          Lethe
        </a>
        <nav class="crumbs" aria-label="Where you are">
          <a href={href([])}>Collections</a>
          {project && <a href={href(["c", project])}>{collection?.id ?? project}</a>}
        </nav>
        <div class="who">
          <ThemeButton />
          <Who who={who} />
        </div>
      </header>
      {found && project && <Tabs project={project} here={found.name} rights={rights} all={known} />}
      <SignedOutNotice />
      <main id="content" tabIndex={-1}>
        {found ? (
          <Guard key={`${found.name} ${project}`}>
            <Screen name={found.name} route={route} project={project} who={who} collection={collection} rights={rights} />
          </Guard>
        ) : (
          <Lost />
        )}
      </main>
    </>
  );
}

function Who({ who }: { who: Session | undefined }) {
  useRoute(); // the way back after the login is the present view
  if (!who) return null;
  if (who.login === null) {
    return (
      <a class="button" href={address("/app/template/Login.vm", { goal: location.pathname + location.hash })}>
        Log in
      </a>
    );
  }
  return (
    <form class="login" method="post" action={address("/app/action/LogoutUser")}>
      <span title={who.isAdmin ? "Administrator of the site" : undefined}>{who.login}</span>
      {who.isAdmin && <span class="badge plain">admin</span>}
      <button class="quiet">Log out</button>
    </form>
  );
}

function Tabs({ project, here, rights, all }: { project: string; here: ScreenName; rights: Rights; all: Collection[] | undefined }) {
  const twin = project.endsWith("_INTAKE") ? project.slice(0, -"_INTAKE".length) : `${project}_INTAKE`;
  const hasTwin = all?.some((one) => one.id === twin);
  return (
    <nav class="tabs" aria-label="Parts of the collection">
      {tabs
        .filter((tab) => !tab.needs || rights[tab.needs])
        .map((tab) => (
          <a key={tab.name} href={href(tab.name === "overview" ? ["c", project] : ["c", project, tab.name])} aria-current={tab.name === here ? "page" : undefined}>
            {tab.title}
          </a>
        ))}
      {hasTwin && (
        <a class="twin" href={href(["c", twin])}>
          {project.endsWith("_INTAKE") ? "Released collection" : "Intake"} →
        </a>
      )}
    </nav>
  );
}

function Screen(props: ScreenProps & { name: ScreenName }) {
  const { name, ...rest } = props;
  const found = useLoad<ComponentType<ScreenProps>>(() => screens[name]().then((module) => module.default), [name]);
  if (found.error) return <Refusal error={new Error("The page could not be loaded. Reload it.")} />;
  const Shown = found.value;
  return Shown ? <Shown {...rest} /> : <Skeleton />;
}

function Lost() {
  return (
    <div class="lost">
      <h1>There is no such page</h1>
      <p>
        <a href={href([])}>All collections</a>
      </p>
    </div>
  );
}

/** A fault of a screen is shown in its place; the rest of the page goes on. */
class Guard extends Component<{ children: ComponentChildren }, { error: unknown }> {
  override state = { error: undefined as unknown };

  static override getDerivedStateFromError(error: unknown) {
    return { error };
  }

  override render() {
    return this.state.error ? <Refusal error={this.state.error} retry={() => this.setState({ error: undefined })} /> : this.props.children;
  }
}
