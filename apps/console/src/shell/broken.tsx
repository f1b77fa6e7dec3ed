// What stands in place of a screen that failed, and of an address that has none.

import { Link, useRouter } from "@tanstack/react-router";

import { EmptyNote } from "../ui/facts.tsx";
import { PageHead } from "../ui/page.tsx";
import { ProblemNote } from "../ui/problem.tsx";

export function BrokenScreen({ error }: { error: unknown }) {
  const router = useRouter();
  return (
    <>
      <PageHead title="This screen failed" />
      <ProblemNote error={error} onRetry={() => void router.invalidate()} />
    </>
  );
}

export function NoScreen() {
  return (
    <>
      <PageHead title="There is no such page" />
      <EmptyNote title="Nothing is at this address.">
        <p className="muted">
          Go to <Link to="/">the overview</Link>, or look for an id at the top of the page.
        </p>
      </EmptyNote>
    </>
  );
}
