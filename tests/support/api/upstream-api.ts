// The API of a test with the simulator of Gemini behind it.

import { onTestFinished } from "vitest";

import type { ApiDependencies } from "@sluice/gateway/api/api";
import { type GeminiSimulator, type SimulatorOptions, startGeminiSimulator } from "@sluice/gemini-simulator/simulator";

import { createTestApi, PUBLIC_URL, type TestApi } from "./test-api.ts";

export const UPSTREAM_KEY = "AIzaSy-key-of-the-upstream-tests";

interface UpstreamApi extends TestApi {
  simulator: GeminiSimulator;
}

export async function openUpstreamApi(
  api: TestApi,
  changes: Partial<ApiDependencies> = {},
  options: SimulatorOptions = {},
): Promise<UpstreamApi> {
  const simulator = await startGeminiSimulator(options);
  onTestFinished(() => simulator.stop());
  return { ...(await createTestApi(api.db, { geminiBaseUrl: simulator.url, ...changes })), simulator };
}

let made = 0;

/** A new source with a key, and where its webhook is in the API and at Gemini. */
export async function makeUpstreamSource(api: TestApi, fields: object = { gemini_api_key: UPSTREAM_KEY }) {
  const { body } = await api.call("POST", "/v1/sources", { body: { name: `upstream-${++made}`, ...fields } });
  const path = `/v1/sources/${body.id}/upstream`;
  const uri = `${PUBLIC_URL}/in/${body.name}`;
  return { id: body.id as string, name: body.name as string, path, uri };
}
