// The stores of the queue, as the document names them.

import { z } from "@hono/zod-openapi";

export const queueStore = z.enum(["redis", "postgres"]).openapi("QueueStore");
