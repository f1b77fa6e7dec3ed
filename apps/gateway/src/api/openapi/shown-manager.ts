// The field of sources, targets and keys that says which file of settings manages them.

import { z } from "@hono/zod-openapi";

export const shownManager = z
  .string()
  .nullable()
  .openapi({
    description:
      "The file of settings that manages it; null for none. It is changed there, or with the header `Sluice-Force: true`, until the " +
      "file is applied again.",
    example: null,
  });
