import { expect, test } from "vitest";
import { z } from "zod";

import { commonSettings, integer } from "./common.ts";
import { describeSettings } from "./describe-settings.ts";

test("each setting is shown with its value or its default, and of a secret only whether it is set", () => {
  const settings = z.object({ ...commonSettings, LIMIT: integer(1, 9).default(5), ADDRESS: z.string().optional() });
  const described = describeSettings(settings, {
    DATABASE_URL: "postgres://sluice:database-password@db/sluice",
    REDIS_URL: "",
    MASTER_KEY_FILE: "/run/secrets/master-key",
    LOG_LEVEL: "debug",
    ADDRESS: "https://user:url-password@a.example/path",
    OTHER: "not a setting",
  });
  const byName = new Map(described.map(({ name, ...rest }) => [name, rest]));
  expect(byName.get("DATABASE_URL")).toEqual({ isSecret: true, isSet: true, value: null });
  expect(byName.get("MASTER_KEY")).toEqual({ isSecret: true, isSet: true, value: null });
  expect(byName.get("REDIS_URL")).toEqual({ isSecret: true, isSet: false, value: null });
  expect(byName.get("LOG_LEVEL")).toEqual({ isSecret: false, isSet: true, value: "debug" });
  expect(byName.get("LIMIT")).toEqual({ isSecret: false, isSet: false, value: "5" });
  expect(byName.get("TARGET_ALLOW")).toEqual({ isSecret: false, isSet: false, value: null });
  expect(byName.get("ADDRESS")).toMatchObject({ value: "https://…@a.example/path" });
  expect(JSON.stringify(described)).not.toMatch(/password|OTHER/);
});
