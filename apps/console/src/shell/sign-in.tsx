// Signing in: an API key is exchanged for a session, and is kept nowhere. A link of `npm start` or of `sluice open` has a
// one-time code behind its `#`, which browsers do not send.

import { ApiError } from "@sluice/client/api-error";
import { Navigate, useNavigate } from "@tanstack/react-router";
import { useEffect, useState } from "react";

import { signIn } from "../data/session.ts";
import { FormField } from "../ui/field.tsx";
import { ProblemNote } from "../ui/problem.tsx";

interface SignInLink {
  code: string;
  /** The page of the console that the link leads to. */
  to: string;
}

/** What the address says behind its `#`. It is removed from the address at once. */
function takeLink(): SignInLink | undefined {
  const params = new URLSearchParams(location.hash.slice(1));
  const code = params.get("code");
  if (code === null) return undefined;
  history.replaceState(null, "", location.pathname);
  const to = params.get("to") ?? "/";
  // A page of the console, and nothing else: the link may come from anybody.
  return { code, to: /^\/console\/(?!\/)/.test(to) ? to.slice("/console".length) : "/" };
}

const link = takeLink();
let isLinkTried = false;

/** Stands at the address of the links, for people who have a session already. */
export function SignedIn() {
  return <Navigate to={link?.to ?? "/"} search={{}} replace />;
}

export function SignIn() {
  const navigate = useNavigate();
  const [key, setKey] = useState("");
  const [error, setError] = useState<unknown>();
  const [isBusy, setBusy] = useState(false);
  const enter = async (proof: { key?: string; code?: string }, to?: string) => {
    setBusy(true);
    setError(undefined);
    try {
      await signIn(proof);
      const isHere = location.pathname.endsWith("/sign-in");
      if (to !== undefined || isHere) await navigate({ to: to ?? "/", replace: true });
    } catch (failure) {
      setError(failure);
      setBusy(false);
    }
  };
  /** Nobody waits for this try, so it keeps nobody from signing in with a key meanwhile. */
  const enterByProxy = async () => {
    try {
      await signIn({});
      if (location.pathname.endsWith("/sign-in")) await navigate({ to: "/", replace: true });
    } catch (failure) {
      setError((known: unknown) => known ?? failure);
    }
  };
  useEffect(() => {
    document.title = "Sign in · Sluice";
    // A code works once. Without one, a proxy before the gateway may vouch for the person.
    if (isLinkTried) return;
    isLinkTried = true;
    if (link !== undefined) void enter({ code: link.code }, link.to);
    else void enterByProxy();
    // Once, when the page opens.
    // oxlint-disable-next-line react-hooks/exhaustive-deps
  }, []);
  // The try without a key and a code, of which nobody needs to hear.
  const isWithoutProof = error instanceof ApiError && error.code === "invalid_request";
  return (
    <main className="alone">
      <form
        className="sign-in"
        onSubmit={(event) => {
          event.preventDefault();
          if (!isBusy && key.trim() !== "") void enter({ key: key.trim() });
        }}
      >
        <h1>
          <img src={`${import.meta.env.BASE_URL}icon.svg`} alt="" width="28" height="28" /> Sluice
        </h1>
        <p>Sign in with an API key. The relay keeps a session for 12 hours, and the browser does not keep the key.</p>
        <FormField
          label="API key"
          hint="The first one is in the file admin-api-key of the data directory: the README shows how to read it."
        >
          <input
            type="password"
            autoComplete="off"
            // The only field of the page, which exists to be filled.
            // oxlint-disable-next-line jsx-a11y/no-autofocus
            autoFocus
            value={key}
            onChange={(event) => setKey(event.target.value)}
          />
        </FormField>
        {error !== undefined && !isWithoutProof && <ProblemNote error={error} />}
        <button type="submit" className="primary" aria-busy={isBusy}>
          Sign in
        </button>
        <p className="muted">
          <code>sluice open</code> signs in with the key of your profile. <a href="/docs/">The API reference</a> needs
          no key.
        </p>
      </form>
    </main>
  );
}
