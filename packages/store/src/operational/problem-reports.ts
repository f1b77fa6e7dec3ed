// Each process writes down what it lacks, so that one worker can tell of it for the whole relay. As long as nothing is wrong,
// nothing is written.

import { newId } from "@sluice/shared/domain/ids";
import type { Logger } from "@sluice/shared/runtime/log";
import { within } from "@sluice/shared/runtime/within";

import type { Database } from "../connection/database.ts";
import { type ProcessProblem, REPORT_EVERY_MS, writeProblems } from "./problems.ts";

/** What is left in the table after that is forgotten by its age. */
const CLOSE_LIMIT_MS = 500;

export interface ProblemReportsParts {
  db: Database;
  app: "gateway" | "worker";
  findProblems: () => Promise<ProcessProblem[]>;
  log: Logger;
}

export function startProblemReports({ db, app, findProblems, log }: ProblemReportsParts): {
  close: () => Promise<void>;
} {
  const process = { processId: newId(), app };
  let hasRows = false;
  let isClosed = false;
  let running: Promise<void> = Promise.resolve();
  const report = async () => {
    try {
      const problems = await findProblems();
      if (isClosed || (problems.length === 0 && !hasRows)) return;
      await writeProblems(db, process, problems);
      hasRows = problems.length > 0;
    } catch (error) {
      // Failure policy: open. While PostgreSQL is away nobody can be told, and /readyz says what is wrong.
      log.debug({ err: error }, "problems of this process not written");
    }
  };
  const timer = setInterval(() => {
    running = running.then(report);
  }, REPORT_EVERY_MS);
  return {
    close: async () => {
      isClosed = true;
      clearInterval(timer);
      if (!hasRows) return;
      const removed = running.then(() => writeProblems(db, process, [])).catch(() => undefined);
      await within(CLOSE_LIMIT_MS, removed);
    },
  };
}
