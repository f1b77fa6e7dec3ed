// What stands around each screen: navigation, the way to any id, time zone, theme, and who is signed in.

import { useQuery } from "@tanstack/react-query";
import { Link, Outlet, useNavigate } from "@tanstack/react-router";
import { type ReactNode, useId } from "react";

import { useClockOffset } from "../data/clock.ts";
import { sessionQuery, signOut, useSession } from "../data/session.ts";
import { changeTaste, useTaste } from "../data/taste.ts";
import { formatDuration, zoneName } from "../ui/format.ts";
import { Icon } from "../ui/icon.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import { Moment } from "../ui/time.tsx";
import { say, Toasts } from "../ui/toast.tsx";
import { ConnectionNote } from "./connection.tsx";
import { Keyboard } from "./keys.tsx";
import { type NavScreen, SCREENS } from "./screens.ts";
import { SignIn } from "./sign-in.tsx";

/** Shows the screens to people with a session, and asks all others to sign in. The address stays. */
export function Shell() {
  const session = useQuery(sessionQuery);
  if (session.isPending) return <main className="alone" aria-busy="true" />;
  if (session.data === undefined) {
    return (
      <main className="alone">
        <ProblemNote error={session.error} onRetry={() => void session.refetch()} />
      </main>
    );
  }
  return (
    <>
      {session.data === null ? <SignIn /> : <SignedInFrame />}
      <Toasts />
    </>
  );
}

function SignedInFrame() {
  const menuId = useId();
  return (
    <div className="frame">
      <a className="skip" href="#main">
        Skip to the content
      </a>
      <header className="top">
        <button type="button" className="quiet square menu-button" popoverTarget={menuId} aria-label="Menu">
          <Icon name="menu" />
        </button>
        <Link to="/" className="brand">
          <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width="22" height="22" /> Sluice
        </Link>
        <GoToId />
        <ZoneSwitch />
        <ThemeSwitch />
        <WhoAmI />
      </header>
      <nav className="side" aria-label="Screens">
        <div>
          <Navigation />
        </div>
      </nav>
      <nav className="menu side-menu" id={menuId} popover="auto" aria-label="Menu">
        <Navigation onChoose={() => document.getElementById(menuId)?.hidePopover()} />
      </nav>
      <main id="main" tabIndex={-1}>
        <ConnectionNote />
        <ClockWarning />
        <Outlet />
      </main>
      <Keyboard />
    </div>
  );
}

function Navigation({ onChoose }: { onChoose?: () => void }) {
  const groups = Object.entries(Object.groupBy(SCREENS, ({ group }) => group));
  return (
    <>
      {groups.map(([group, screens]) => (
        <ul key={group}>
          {screens.map((screen) => (
            <li key={screen.to}>
              <NavigationLink screen={screen} {...(onChoose && { onChoose })} />
            </li>
          ))}
        </ul>
      ))}
      <ul>
        <li>
          <a href="/docs/" target="_blank" rel="noreferrer">
            API reference
          </a>
        </li>
      </ul>
    </>
  );
}

function NavigationLink({ screen, onChoose }: { screen: NavScreen; onChoose?: () => void }) {
  return (
    <Link
      to={screen.to}
      title={`g ${screen.key}`}
      activeOptions={{ exact: screen.to === "/", includeSearch: false }}
      activeProps={{ "aria-current": "page" }}
      {...(onChoose && { onClick: onChoose })}
    >
      {screen.label}
    </Link>
  );
}

function GoToId() {
  const navigate = useNavigate();
  return (
    <form
      className="go"
      role="search"
      aria-label="Any id"
      onSubmit={(event) => {
        event.preventDefault();
        const input = event.currentTarget.elements.namedItem("id");
        if (!(input instanceof HTMLInputElement) || input.value.trim() === "") return;
        void navigate({ to: `/go/${encodeURIComponent(input.value.trim())}` });
        input.value = "";
        input.blur();
      }}
    >
      <input
        name="id"
        placeholder="Any id: event, delivery, job, webhook-id …"

        aria-label="Go to any id"
      />
    </form>
  );
}

function ZoneSwitch() {
  const { zone } = useTaste();
  const local = zoneName();
  return (
    <button
      type="button"
      className="quiet zone"
      title={zone === "utc" ? `Times are in UTC. Switch to ${local}.` : `Times are in ${local}. Switch to UTC.`}
      onClick={() => changeTaste({ zone: zone === "utc" ? "local" : "utc" })}
    >
      {zone === "utc" ? "UTC" : local}
    </button>
  );
}

const THEMES = { system: "light", light: "dark", dark: "system" } as const;

function ThemeSwitch() {
  const { theme } = useTaste();
  return (
    <button
      type="button"
      className="quiet square"
      aria-label={`Theme: ${theme}. Change to ${THEMES[theme]}.`}
      title={`Theme: ${theme}`}
      onClick={() => changeTaste({ theme: THEMES[theme] })}
    >
      <Icon name={theme} />
    </button>
  );
}

function WhoAmI() {
  const { name, scopes, expires_at } = useSession();
  const id = useId();
  return (
    <>
      <button type="button" className="quiet who" popoverTarget={id} title={name}>
        <Icon name="person" />
        <span>{name}</span>
      </button>
      <div id={id} popover="auto" className="menu who-menu">
        <p>
          <strong>{name}</strong>
          <br />
          {scopes.join(", ")}
        </p>
        <p className="muted">
          Signed in until <Moment at={expires_at} />
        </p>
        <button type="button" onClick={() => void leave()}>
          Sign out
        </button>
      </div>
    </>
  );
}

async function leave(): Promise<void> {
  try {
    await signOut();
  } catch {
    say("The gateway did not answer, so you are still signed in.", { isBad: true });
  }
}

function ClockWarning(): ReactNode {
  const offsetMs = useClockOffset();
  if (offsetMs === 0) return null;
  return (
    <p className="note warn" role="status">
      The clock of this browser is {formatDuration(Math.abs(offsetMs))} {offsetMs > 0 ? "behind" : "ahead of"} the
      relay’s. Countdowns follow the relay’s clock.
    </p>
  );
}
