// Which API key did something, as operations and the audit trail show it.

import { z } from "@hono/zod-openapi";

import { idField } from "../openapi/endpoint.ts";

export const keyUse = z
  .object({
    key: idField("key").nullable().openapi({
      description:
        "The id of the API key. Null for the key from `ADMIN_API_KEY`, and for a person whom a proxy signed in to the console.",
    }),
    name: z.string().openapi({ description: "The name of the key at that time, or of the person" }),
  })
  .openapi("KeyUse");
