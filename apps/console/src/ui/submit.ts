// Sending a form: busy while the relay works, and afterwards the error, with the focus on the first field that has a fault.

import { useEffect, useState } from "react";

export interface Submission {
  isBusy: boolean;
  error: unknown;
  submit: () => void;
}

/** @param send rejects with what the form shows. When it resolves, the form is over. */
export function useSubmission(send: () => Promise<unknown>): Submission {
  const [isBusy, setBusy] = useState(false);
  const [error, setError] = useState<unknown>();
  useEffect(() => {
    if (error !== undefined) document.querySelector<HTMLElement>("[aria-invalid='true']")?.focus();
  }, [error]);
  const run = async () => {
    setBusy(true);
    setError(undefined);
    try {
      await send();
    } catch (failure) {
      setError(failure);
    } finally {
      setBusy(false);
    }
  };
  return {
    isBusy,
    error,
    submit: () => {
      if (!isBusy) void run();
    },
  };
}
