// A form on a page of its own: its fields, the error that no field shows, and the way out.

import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";

import type { ChangeCall } from "../data/curl.ts";
import { ActionButton } from "../ui/button.tsx";
import { CopyCurl } from "../ui/copy.tsx";
import { ProblemNote } from "../ui/problem.tsx";
import type { Submission } from "../ui/submit.ts";

interface FormPanelProps {
  /** The fields whose faults the form shows itself. */
  fields: readonly string[];
  submission: Submission;
  verb: string;
  /** What is called, for "copy as curl". */
  call: ChangeCall;
  /** Where leaving the form leads. */
  back: string;
  children: ReactNode;
}

export function FormPanel({
  fields,
  submission: { isBusy, error, submit },
  verb,
  call,
  back,
  children,
}: FormPanelProps) {
  return (
    <form
      className="panel form"
      noValidate
      onSubmit={(event) => {
        event.preventDefault();
        submit();
      }}
    >
      {children}
      {error !== undefined && <ProblemNote error={error} shownElsewhere={fields} />}
      <footer className="row">
        <ActionButton needs="write" type="submit" kind="primary" isBusy={isBusy}>
          {verb}
        </ActionButton>
        <Link className="button" to={back}>
          Cancel
        </Link>
        <CopyCurl call={call} />
      </footer>
    </form>
  );
}
