// Ids follow the TypeID specification, by its own vectors, and have the order on which lists and partitions rely.

import { randomUUID } from "node:crypto";

import { describe, expect, test } from "vitest";

import { deliveryId, formatId, idFloor, idTime, newId, parseId, readId } from "./ids.ts";

// https://github.com/jetify-com/typeid/blob/main/spec/valid.yml, with one of our prefixes.
const VALID = {
  nil: ["evt_00000000000000000000000000", "00000000-0000-0000-0000-000000000000"],
  one: ["evt_00000000000000000000000001", "00000000-0000-0000-0000-000000000001"],
  ten: ["evt_0000000000000000000000000a", "00000000-0000-0000-0000-00000000000a"],
  sixteen: ["evt_0000000000000000000000000g", "00000000-0000-0000-0000-000000000010"],
  "thirty-two": ["evt_00000000000000000000000010", "00000000-0000-0000-0000-000000000020"],
  "max-valid": ["evt_7zzzzzzzzzzzzzzzzzzzzzzzzz", "ffffffff-ffff-ffff-ffff-ffffffffffff"],
  "valid-alphabet": ["evt_0123456789abcdefghjkmnpqrs", "0110c853-1d09-52d8-d73e-1194e95b5f19"],
  "valid-uuidv7": ["evt_01h455vb4pex5vsknk084sn02q", "01890a5d-ac96-774b-bcce-b302099a8057"],
} as const;

// https://github.com/jetify-com/typeid/blob/main/spec/invalid.yml, with one of our prefixes.
const INVALID = {
  "prefix-uppercase": "EVT_00000000000000000000000000",
  "prefix-spaces": "  evt_00000000000000000000000000",
  "prefix-underscore-start": "_evt_00000000000000000000000000",
  "prefix-underscore-end": "evt__00000000000000000000000000",
  "separator-empty-prefix": "_00000000000000000000000000",
  "separator-empty": "_",
  "suffix-short": "evt_1234567890123456789012345",
  "suffix-long": "evt_123456789012345678901234567",
  "suffix-spaces": "evt_1234567890123456789012345 ",
  "suffix-uppercase": "evt_0123456789ABCDEFGHJKMNPQRS",
  "suffix-hyphens": "evt_123456789-123456789-123456",
  "suffix-wrong-alphabet": "evt_ooooooiiiiiiuuuuuuulllllll",
  "suffix-ambiguous-crockford": "evt_i23456789ol23456789oi23456",
  "suffix-hyphens-crockford": "evt_123456789-0123456789-0123456",
  "suffix-overflow": "evt_8zzzzzzzzzzzzzzzzzzzzzzzzz",
  "another prefix": "dlv_01h455vb4pex5vsknk084sn02q",
  "no prefix": "01h455vb4pex5vsknk084sn02q",
  empty: "",
};

describe("TypeID", () => {
  test.for(Object.entries(VALID))("the specification's valid id %s reads and formats", ([, [text, uuid]]) => {
    expect(readId("evt", text)).toBe(uuid);
    expect(formatId("evt", uuid)).toBe(text);
  });

  test.for(Object.entries(INVALID))("the specification's invalid id %s is refused", ([, text]) => {
    expect(readId("evt", text)).toBeUndefined();
    expect(() => parseId("evt", text, "/event")).toThrow(
      expect.objectContaining({ code: "invalid_id", faults: [expect.objectContaining({ pointer: "/event" })] }),
    );
  });

  test("any UUID survives the round trip, and TypeIDs sort as their UUIDs do", () => {
    const uuids = Array.from({ length: 2_000 }, () => randomUUID());
    for (const uuid of uuids) expect(readId("att", formatId("att", uuid))).toBe(uuid);
    expect(uuids.map((uuid) => formatId("att", uuid)).toSorted()).toEqual(
      uuids.toSorted().map((uuid) => formatId("att", uuid)),
    );
  });
});

describe("new ids", () => {
  test("are version 7, hold the time, and grow within one process, even within one millisecond", () => {
    const before = Date.now();
    const ids = Array.from({ length: 20_000 }, newId);
    expect(new Set(ids).size).toBe(ids.length);
    expect(ids.toSorted()).toEqual(ids);
    for (const id of [ids[0], ids.at(-1)]) {
      expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
      expect(idTime(id ?? "")).toBeGreaterThanOrEqual(before);
    }
  });

  test("idFloor is not above any id of its millisecond and above every id of the one before", () => {
    const id = newId();
    expect(idFloor(idTime(id)) <= id).toBe(true);
    expect(idFloor(idTime(id) + 1) > id).toBe(true);
    expect(idTime(idFloor(1_700_000_000_123))).toBe(1_700_000_000_123);
  });

  test("idFloor is a UUID for any time: the first id for an earlier time, and the last id for a later time", () => {
    expect(idFloor(-1)).toBe("00000000-0000-0000-0000-000000000000");
    expect(idFloor(2 ** 48 - 1)).toBe("ffffffff-ffff-0000-0000-000000000000");
    expect(idFloor(2 ** 48)).toBe("ffffffff-ffff-ffff-ffff-ffffffffffff");
    expect(idFloor(Number.MAX_SAFE_INTEGER)).toBe("ffffffff-ffff-ffff-ffff-ffffffffffff");
  });
});

describe("the id of a delivery", () => {
  const [event, target] = [newId(), newId()];

  test("is the same however often it is made, so that a second delivery is refused by the primary key", () => {
    expect(deliveryId(event, target)).toBe(deliveryId(event, target));
  });

  test("differs by event and by target", () => {
    const others = [deliveryId(event, newId()), deliveryId(newId(), target), deliveryId(target, event)];
    expect(new Set([deliveryId(event, target), ...others]).size).toBe(4);
  });

  test("has its event's millisecond, so that a search by the event's time finds it", () => {
    expect(idTime(deliveryId(event, target))).toBe(idTime(event));
  });
});
