// How the relay is, as the gateway that answers knows it.

import type { Schemas } from "@sluice/client/client";
import { useQuery } from "@tanstack/react-query";

import { readPath } from "./client.ts";

export type SystemState = Schemas["SystemState"];

const LOOK_EVERY_MS = 5_000;

export function useSystem() {
  return useQuery({
    queryKey: ["system"],
    queryFn: ({ signal }) => readPath<SystemState>("/v1/system", {}, signal),
    refetchInterval: LOOK_EVERY_MS,
  });
}
