// Videos, polled by the official client. Its version 3 starts no videos, so a call without it does.

import { GenerateVideosOperation } from "@google/genai";
import { expect, test } from "vitest";

import { callGemini, openSimulator, type TestSimulator } from "../../../../tests/support/gemini-simulator.ts";

async function createVideo(simulator: TestSimulator): Promise<GenerateVideosOperation> {
  const path = "/v1beta/models/veo-3.1-generate-preview:predictLongRunning";
  const { body } = await callGemini(simulator, "POST", path, { instances: [{ prompt: "A relay race" }] });
  return Object.assign(new GenerateVideosOperation(), body);
}

const poll = ({ client }: TestSimulator, operation: GenerateVideosOperation) =>
  client.operations.getVideosOperation({ operation });

test("a video is an operation that the client polls by its name", async () => {
  const simulator = await openSimulator();
  const operation = await createVideo(simulator);
  expect(operation.name).toMatch(/^models\/veo-3\.1-generate-preview\/operations\/[0-9a-z]{12}$/);
  expect((await poll(simulator, operation)).done).toBeUndefined();
  simulator.jobs.move(simulator.jobs.get(operation.name ?? ""), { state: "generated" });
  expect(await poll(simulator, operation)).toMatchObject({
    done: true,
    response: { generatedVideos: [{ video: { uri: expect.stringMatching(/^https:/) } }] },
  });
});

test("a video that failed is done, with an error", async () => {
  const simulator = await openSimulator();
  const operation = await createVideo(simulator);
  const error = { code: 3, message: "The prompt was refused" };
  simulator.jobs.move(simulator.jobs.get(operation.name ?? ""), { state: "failed", error });
  expect(await poll(simulator, operation)).toMatchObject({ done: true, error });
});
