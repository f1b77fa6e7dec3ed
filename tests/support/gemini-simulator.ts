// A simulator of Gemini for one test, with the official client of it.

import { type ContentUnion, GoogleGenAI } from "@google/genai";
import { onTestFinished } from "vitest";

import { SimulatorClock } from "@sluice/gemini-simulator/clock";
import { type GeminiSimulator, type SimulatorOptions, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";

/** A time at which clocks that stand begin. */
export const SIMULATED_START_MS = Date.UTC(2026, 0, 22, 12);
export const HOUR_MS = 3_600_000;

export interface TestSimulator extends GeminiSimulator {
  client: GoogleGenAI;
}

/** Starts a simulator whose clock stands, unless another one is given. The simulator stops after the test. */
export async function openSimulator(options: SimulatorOptions = {}): Promise<TestSimulator> {
  const clock = new SimulatorClock({ startMs: SIMULATED_START_MS, isStanding: true });
  const simulator = await startGeminiSimulator({ clock, ...options });
  onTestFinished(() => simulator.stop());
  return { ...simulator, client: openGeminiClient(simulator.url) };
}

export function openGeminiClient(baseUrl: string, apiKey = "simulated-key"): GoogleGenAI {
  return new GoogleGenAI({ apiKey, httpOptions: { baseUrl } });
}

/** Calls a path of the API without the client. */
export async function callGemini(
  { url }: GeminiSimulator,
  method: string,
  path: string,
  body?: object,
  // oxlint-disable-next-line typescript/no-explicit-any -- an answer is what a test asserts about it.
): Promise<{ status: number; headers: Headers; body: any }> {
  const response = await fetch(`${url}${path}`, {
    method,
    headers: { "x-goog-api-key": "simulated-key", "content-type": "application/json" },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return { status: response.status, headers: response.headers, body: await response.json() };
}

export const PROMPT: ContentUnion = { role: "user", parts: [{ text: "Write the report" }] };
