// Sends an event to one target now, and shows the attempt as soon as it is made.

import type { Schemas } from "@sluice/client/client";
import { Link } from "@tanstack/react-router";
import { useEffect } from "react";
import { useQuery } from "@tanstack/react-query";

import { queries, relay } from "../data/client.ts";
import type { TargetRow } from "../data/records.ts";
import { StatusCode } from "../ui/badge.tsx";
import { Modal } from "../ui/dialog.tsx";
import { Facts } from "../ui/facts.tsx";
import { formatMs } from "../ui/format.ts";
import { LongText } from "../ui/json-view.tsx";
import { ProblemNote } from "../ui/problem.tsx";

type TestAnswer = Schemas["TargetTest"];

export function TestDialog({ target, onClose }: { target: TargetRow; onClose: () => void }) {
  const test = useQuery({
    queryKey: ["test", target.id],
    queryFn: () => relay.ask("POST", `/v1/targets/${target.id}:test`) as Promise<TestAnswer>,
    // It is sent once, when the dialog opens.
    staleTime: Infinity,
    gcTime: 0,
    retry: false,
    refetchOnWindowFocus: false,
    refetchOnReconnect: false,
  });
  const isDone = test.data !== undefined;
  useEffect(() => {
    if (isDone) void queries.invalidateQueries({ predicate: ({ queryKey }) => queryKey[0] !== "test" });
  }, [isDone]);
  return (
    <Modal title={`Test of ${target.name}`} onClose={onClose} isWide>
      <div aria-live="polite" className="stack">
        {test.isFetching && (
          <p className="muted">
            A worker sends an event of the type <code>sluice.test</code>. This takes at most {target.timeout_seconds} s.
          </p>
        )}
        {test.error !== null && !test.isFetching && (
          <ProblemNote error={test.error} onRetry={() => void test.refetch()} />
        )}
        {test.data && !test.isFetching && <TestResult test={test.data} isPull={target.kind === "pull"} />}
      </div>
      <footer className="row end">
        {test.data && (
          <>
            <Link className="button" to={`/deliveries/${test.data.delivery.id}`}>
              The delivery
            </Link>
            <button type="button" aria-busy={test.isFetching} onClick={() => void test.refetch()}>
              Send another
            </button>
          </>
        )}
        <button type="button" className="primary" onClick={onClose}>
          Close
        </button>
      </footer>
    </Modal>
  );
}

function TestResult({ test: { attempt }, isPull }: { test: TestAnswer; isPull: boolean }) {
  if (attempt === null) {
    return (
      <p className="note warn">
        {isPull
          ? "The event waits until your service pulls it."
          : "No worker made the attempt yet. The delivery is stored, and is attempted when a worker runs."}
      </p>
    );
  }
  const isGood = attempt.error === null && attempt.status_code !== null && attempt.status_code < 300;
  return (
    <>
      <p className={isGood ? "note good" : "note bad"}>
        {isGood ? "The target took the event." : "The target did not take the event."} {attempt.error}
      </p>
      <Facts
        facts={[
          ["Answer", <StatusCode key="code" code={attempt.status_code} error={attempt.error} />],
          ["Took", formatMs(attempt.duration_ms)],
          ["Address", attempt.address && <code key="address">{attempt.address}</code>],
          ["URL that was called", attempt.url && <code key="url">{attempt.url}</code>],
        ]}
      />
      {attempt.response_excerpt !== null && attempt.response_excerpt !== "" && (
        <section className="stack tight">
          <h3>Beginning of the answer</h3>
          <LongText text={attempt.response_excerpt} label="Beginning of the answer" />
        </section>
      )}
    </>
  );
}
