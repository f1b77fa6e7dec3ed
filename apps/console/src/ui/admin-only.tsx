// A screen that this session may not see: it says which scope is missing.

import { EmptyNote } from "./facts.tsx";
import { PageHead } from "./page.tsx";

export function AdminOnly({ title, refusal }: { title: string; refusal: string }) {
  return (
    <>
      <PageHead title={title} />
      <EmptyNote title="This screen is for admins.">
        <p className="muted">{refusal} Sign in with a key that has the scope “admin”.</p>
      </EmptyNote>
    </>
  );
}
