// Turns a checked expression into closures. The library only parses and checks. It does not evaluate, because its evaluator
// has no limits and an event may be hostile: docs/decisions/0006-filters-are-evaluated-by-us.md.

import type { ASTNode, BinaryOperator } from "@marcbachmann/cel-js";

import { FUNCTIONS, METHODS } from "./functions.ts";
import { compileMacro, isMacro } from "./macros.ts";
import { OPERATORS } from "./operators.ts";
import { compilePattern } from "./pattern.ts";
import { decide, type EvaluationStep, type Names, toBool } from "./step.ts";
import { access, EvaluationFault, isInt, isMap, type Meter, typeName } from "./values.ts";

const EVENT_FIELDS: readonly string[] = ["type", "data", "user_metadata", "labels", "body_unbound"];
export const GLOBAL_NAMES: Names = new Map([
  ["event", 0],
  ["source", 1],
]);

/** @throws EvaluationFault when filters do not support something that the library parses. */
export function compileNode(node: ASTNode, names: Names): EvaluationStep {
  const step = compileWithoutCost(node, names);
  return (frame) => {
    frame.meter.spend(1);
    return step(frame);
  };
}

function compileWithoutCost(node: ASTNode, names: Names): EvaluationStep {
  if (isBinary(node)) {
    const operator = OPERATORS[node.op];
    const [left, right] = compileAll(node.args, names);
    return (frame) => operator(left(frame), right(frame), frame.meter);
  }
  switch (node.op) {
    case "value": {
      const value = readLiteral(node);
      return () => value;
    }
    case "id":
      return compileName(node, names);
    case ".":
      return compileField(node.args[0], node.args[1], node, names);
    case "[]": {
      const [container, key] = compileAll(node.args, names);
      return (frame) => access(container(frame), key(frame), frame.meter);
    }
    case "call":
      return compileCall(node, names);
    case "rcall":
      return compileMethod(node, names);
    case "list": {
      const items = node.args.map((item) => compileNode(item, names));
      return (frame) => items.map((item) => item(frame));
    }
    case "map":
      return compileMap(node.args, names);
    case "?:": {
      const [condition, left, right] = compileAll(node.args, names);
      return (frame) => (toBool(condition(frame), frame.meter) ? left(frame) : right(frame));
    }
    case "||":
    case "&&": {
      const sides = compileAll(node.args, names);
      const decisive = node.op === "||";
      return (frame) => decide(sides, decisive, (side) => toBool(side(frame), frame.meter));
    }
    case "!_": {
      const operand = compileNode(node.args, names);
      return (frame) => !toBool(operand(frame), frame.meter);
    }
    case "-_": {
      const operand = compileNode(node.args, names);
      return (frame) => negate(operand(frame), frame.meter);
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
  names: Names,
): { [K in keyof Nodes]: EvaluationStep } {
  return nodes.map((node) => compileNode(node, names)) as { [K in keyof Nodes]: EvaluationStep };
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

function compileName(node: ASTNode & { op: "id" }, names: Names): EvaluationStep {
  const slot = names.get(node.args);
  // The library also accepts the names of types, which filters do not have.
  if (slot === undefined) throw new EvaluationFault(`Unknown variable: ${node.args}`, node);
  return ({ slots, meter }) => {
    const value = slots[slot];
    if (value === undefined) throw meter.fail(`${node.args} is not known for this event`);
    return value;
  };
}

function compileField(container: ASTNode, field: string, node: ASTNode, names: Names): EvaluationStep {
  if (container.op === "id" && names.get(container.args) === 0 && !EVENT_FIELDS.includes(field)) {
    throw new EvaluationFault(`No such key: ${field}; event has ${EVENT_FIELDS.join(", ")}`, node, node.pos);
  }
  const step = compileNode(container, names);
  return (frame) => access(step(frame), field, frame.meter);
}

function compileCall(node: ASTNode & { op: "call" }, names: Names): EvaluationStep {
  const [name, args] = node.args;
  if (name === "has") return compileHas(args[0], node, names);
  if (!Object.hasOwn(FUNCTIONS, name)) throw new EvaluationFault(`filters have no function ${name}()`, node);
  return compileInvocation(FUNCTIONS[name], args, node, names);
}

function compileMethod(node: ASTNode & { op: "rcall" }, names: Names): EvaluationStep {
  const [name, receiver, args] = node.args;
  if (isMacro(name)) return compileMacro(compileNode, node, names);
  if (name === "matches") return compileMatches(receiver, args[0], node, names);
  if (!Object.hasOwn(METHODS, name)) throw new EvaluationFault(`filters have no function ${name}()`, node);
  return compileInvocation(METHODS[name], [receiver, ...args], node, names);
}

function compileInvocation(
  declared: (typeof FUNCTIONS)[string] | undefined,
  args: readonly ASTNode[],
  node: ASTNode,
  names: Names,
): EvaluationStep {
  if (declared === undefined || declared.arity !== args.length)
    throw new EvaluationFault("wrong number of arguments", node);
  const steps = args.map((arg) => compileNode(arg, names));
  return (frame) =>
    declared.run(
      steps.map((step) => step(frame)),
      frame.meter,
    );
}

function compileHas(field: ASTNode | undefined, node: ASTNode, names: Names): EvaluationStep {
  if (field?.op !== "." || (field.args[0].op === "id" && names.get(field.args[0].args) === 0)) {
    throw new EvaluationFault(
      "has() takes a field of something in the event, such as has(event.data.id)",
      field ?? node,
      field?.pos,
    );
  }
  const [owner, name] = field.args;
  const container = compileNode(owner, names);
  return (frame) => {
    const value = container(frame);
    if (isMap(value)) return Object.hasOwn(value, name);
    throw frame.meter.fail(`a ${typeName(value)} has no fields`);
  };
}

function compileMatches(receiver: ASTNode, pattern: ASTNode | undefined, node: ASTNode, names: Names): EvaluationStep {
  if (pattern?.op !== "value" || typeof pattern.args !== "string") {
    throw new EvaluationFault("matches() takes its pattern as a string in quotes", pattern ?? node);
  }
  const test = compilePattern(pattern.args, pattern);
  const text = compileNode(receiver, names);
  return (frame) => {
    const value = text(frame);
    if (typeof value !== "string") throw frame.meter.fail(`matches() takes a string and got a ${typeName(value)}`);
    return test(value, frame.meter);
  };
}

function compileMap(entries: readonly (readonly [ASTNode, ASTNode])[], names: Names): EvaluationStep {
  const steps = entries.map((entry) => compileAll(entry, names));
  return (frame) => {
    // Without a prototype, `__proto__` is a key like any other.
    const map: Record<string, unknown> = Object.create(null) as Record<string, unknown>;
    for (const [key, value] of steps) {
      const name = key(frame);
      if (typeof name !== "string") throw frame.meter.fail("the keys of a map must be strings, as in JSON");
      map[name] = value(frame);
    }
    return map;
  };
}

function negate(value: unknown, meter: Meter): unknown {
  return typeof value === "number" ? -value : OPERATORS["-"](0n, value, meter);
}
