// Turns a checked expression into closures. The library only parses and checks. It does not evaluate, because its evaluator
// has no limits and an event may be hostile: docs/decisions/0006-filters-are-evaluated-by-us.md.

import type { ASTNode, BinaryOperator } from "@marcbachmann/cel-js";

import { EvaluationFault } from "./fault.ts";
import { FUNCTIONS, METHODS } from "./functions.ts";
import { compileMacro, isMacro } from "./macros.ts";
import { findEntry, isMap, isMapKey, type MapKey } from "./maps.ts";
import type { Meter } from "./meter.ts";
import { OPERATORS } from "./operators.ts";
import { compileMatches } from "./pattern.ts";
import { decide, evaluateAll, type EvaluationStep, isFailure, type FilterScope, toBool } from "./step.ts";
import { compileTimeField, isTimeField } from "./time-fields.ts";
import { access, isInt, typeName } from "./values.ts";

const EVENT_FIELDS: readonly string[] = ["type", "data", "user_metadata", "labels", "body_unbound"];
const GLOBAL_SLOTS = new Map([
  ["event", 0],
  ["source", 1],
]);

/** @returns the scope of a whole filter. Frames have `event` and `source` in this order. */
export function openScope(): FilterScope {
  return { slots: GLOBAL_SLOTS, patterns: { length: 0, size: 0 } };
}

/** @throws EvaluationFault when filters do not support something that the library parses. */
export function compileNode(node: ASTNode, scope: FilterScope): EvaluationStep {
  const step = compileWithoutCost(node, scope);
  return (frame) => {
    frame.meter.spend(1);
    try {
      return step(frame);
    } catch (error) {
      if (isFailure(error)) return error;
      throw error;
    }
  };
}

function compileWithoutCost(node: ASTNode, scope: FilterScope): EvaluationStep {
  if (isBinary(node)) {
    const operator = OPERATORS[node.op];
    const [left, right] = compileAll(node.args, scope);
    return (frame) => {
      const a = left(frame);
      if (isFailure(a)) return a;
      const b = right(frame);
      return isFailure(b) ? b : operator(a, b, frame.meter);
    };
  }
  switch (node.op) {
    case "value": {
      const value = readLiteral(node);
      return () => value;
    }
    case "id":
      return compileName(node, scope);
    case ".":
      return compileField(node.args[0], node.args[1], node, scope);
    case "[]": {
      const [container, key] = compileAll(node.args, scope);
      return (frame) => {
        const values = evaluateAll([container, key], frame);
        return isFailure(values) ? values : access(values[0], values[1], frame.meter);
      };
    }
    case "call":
      return compileCall(node, scope);
    case "rcall":
      return compileMethod(node, scope);
    case "list": {
      const items = node.args.map((item) => compileNode(item, scope));
      return (frame) => evaluateAll(items, frame);
    }
    case "map":
      return compileMap(node.args, scope);
    case "?:": {
      const [condition, left, right] = compileAll(node.args, scope);
      return (frame) => {
        const chosen = toBool(condition(frame), frame.meter);
        if (isFailure(chosen)) return chosen;
        return chosen ? left(frame) : right(frame);
      };
    }
    case "||":
    case "&&": {
      const sides = compileAll(node.args, scope);
      const decisive = node.op === "||";
      return (frame) => decide(sides, decisive, (side) => toBool(side(frame), frame.meter));
    }
    case "!_": {
      const operand = compileNode(node.args, scope);
      return (frame) => {
        const value = toBool(operand(frame), frame.meter);
        return isFailure(value) ? value : !value;
      };
    }
    case "-_": {
      const operand = compileNode(node.args, scope);
      return (frame) => {
        const value = operand(frame);
        return isFailure(value) ? value : negate(value, frame.meter);
      };
    }
    case ".?":
    case "[?]":
      break;
  }
  throw new EvaluationFault("filters have no optional access; use has()", node);
}

function isBinary(node: ASTNode): node is Extract<ASTNode, { op: BinaryOperator }> {
  return Object.hasOwn(OPERATORS, node.op);
}

function compileAll<const Nodes extends readonly ASTNode[]>(
  nodes: Nodes,
  scope: FilterScope,
): { [K in keyof Nodes]: EvaluationStep } {
  return nodes.map((node) => compileNode(node, scope)) as { [K in keyof Nodes]: EvaluationStep };
}

function readLiteral(node: ASTNode & { op: "value" }): unknown {
  const value = node.args;
  if (typeof value === "bigint" && !isInt(value))
    throw new EvaluationFault("the number does not fit an int of 64 bits", node);
  // These are bytes and unsigned integers, which JSON does not have.
  if (typeof value === "object" && value !== null)
    throw new EvaluationFault("filters have no values of this type, because JSON has none", node);
  return value;
}

function compileName(node: ASTNode & { op: "id" }, scope: FilterScope): EvaluationStep {
  const slot = scope.slots.get(node.args);
  // The library also accepts the scope of types, which filters do not have.
  if (slot === undefined) throw new EvaluationFault(`Unknown variable: ${node.args}`, node);
  return ({ slots, meter }) => {
    const value = slots[slot];
    if (value === undefined) throw meter.fail(`${node.args} is not known for this event`);
    return value;
  };
}

function compileField(container: ASTNode, field: string, node: ASTNode, scope: FilterScope): EvaluationStep {
  if (container.op === "id" && scope.slots.get(container.args) === 0 && !EVENT_FIELDS.includes(field)) {
    throw new EvaluationFault(`No such key: ${field}; event has ${EVENT_FIELDS.join(", ")}`, node, node.pos);
  }
  const step = compileNode(container, scope);
  return (frame) => {
    const value = step(frame);
    return isFailure(value) ? value : access(value, field, frame.meter);
  };
}

function compileCall(node: ASTNode & { op: "call" }, scope: FilterScope): EvaluationStep {
  const [name, args] = node.args;
  if (name === "has") return compileHas(args[0], node, scope);
  if (!Object.hasOwn(FUNCTIONS, name)) throw new EvaluationFault(`filters have no function ${name}()`, node);
  return compileInvocation(FUNCTIONS[name], args, node, scope);
}

function compileMethod(node: ASTNode & { op: "rcall" }, scope: FilterScope): EvaluationStep {
  const [name, receiver, args] = node.args;
  if (isMacro(name)) return compileMacro(compileNode, node, scope);
  if (isTimeField(name)) return compileTimeField(compileNode, node, scope);
  if (name === "matches") return compileMatches(compileNode, node, scope);
  if (!Object.hasOwn(METHODS, name)) throw new EvaluationFault(`filters have no function ${name}()`, node);
  return compileInvocation(METHODS[name], [receiver, ...args], node, scope);
}

function compileInvocation(
  declared: (typeof FUNCTIONS)[string] | undefined,
  args: readonly ASTNode[],
  node: ASTNode,
  scope: FilterScope,
): EvaluationStep {
  if (declared === undefined || !declared.arity.includes(args.length))
    throw new EvaluationFault("wrong number of arguments", node);
  const steps = args.map((arg) => compileNode(arg, scope));
  return (frame) => {
    const values = evaluateAll(steps, frame);
    return isFailure(values) ? values : declared.run(values, frame.meter);
  };
}

function compileHas(field: ASTNode | undefined, node: ASTNode, scope: FilterScope): EvaluationStep {
  if (field?.op !== "." || (field.args[0].op === "id" && scope.slots.get(field.args[0].args) === 0)) {
    throw new EvaluationFault(
      "has() takes a field of something in the event, such as has(event.data.id)",
      field ?? node,
      field?.pos,
    );
  }
  const [owner, name] = field.args;
  const container = compileNode(owner, scope);
  return (frame) => {
    const value = container(frame);
    if (isFailure(value)) return value;
    if (isMap(value)) return findEntry(value, name, frame.meter) !== undefined;
    throw frame.meter.fail(`a ${typeName(value)} has no fields`);
  };
}

function compileMap(entries: readonly (readonly [ASTNode, ASTNode])[], scope: FilterScope): EvaluationStep {
  const steps = entries.map((entry) => compileAll(entry, scope));
  return (frame) => {
    const map = new Map<MapKey, unknown>();
    for (const entry of steps) {
      const values = evaluateAll(entry, frame);
      if (isFailure(values)) return values;
      const [name, value] = values;
      if (!isMapKey(name))
        throw frame.meter.fail(`the keys of a map must be strings, ints or bools, not ${typeName(name)}`);
      if (findEntry(map, name, frame.meter) !== undefined) throw frame.meter.fail("a key of a map is repeated");
      map.set(name, value);
    }
    return map;
  };
}

function negate(value: unknown, meter: Meter): unknown {
  return typeof value === "number" ? -value : OPERATORS["-"](0n, value, meter);
}
