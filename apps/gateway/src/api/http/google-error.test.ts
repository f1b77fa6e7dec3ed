import { Hono } from "hono";
import { expect, test } from "vitest";

import { ERROR_CODES, type ErrorCode, SluiceError } from "@sluice/shared/runtime/errors";

import { answerGoogleError } from "./google-error.ts";

async function answerOf(code: ErrorCode): Promise<{ error: { code: number; message: string; status: string } }> {
  const app = new Hono().get("/", (c) => answerGoogleError(c, new SluiceError(code, "what happened")));
  const response = await app.request("/");
  const body = (await response.json()) as { error: { code: number; message: string; status: string } };
  expect(body.error.code).toBe(response.status);
  return body;
}

test("every error has a canonical status of Google's, and keeps its HTTP status and its message", async () => {
  for (const code of Object.keys(ERROR_CODES) as ErrorCode[]) {
    const { error } = await answerOf(code);
    expect(error.message).toBe("what happened");
    expect(error.status, code).toMatch(/^[A-Z_]+$/);
    expect(error.status, code).not.toBe("UNKNOWN");
    if (error.status !== "FAILED_PRECONDITION") expect(error.code).toBe(ERROR_CODES[code].status);
  }
});

test.for(["ping_failed", "limit_reached"] as const)(
  "%s is answered with 400, which Google's clients do not repeat",
  async (code) => {
    expect((await answerOf(code)).error).toMatchObject({ code: 400, status: "FAILED_PRECONDITION" });
  },
);
