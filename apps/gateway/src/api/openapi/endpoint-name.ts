// The name of an endpoint in clients that are generated from the document: a verb and a resource. One rule derives all
// names, so the methods of a client follow one pattern.

const VERBS: Record<string, string> = { post: "create", put: "replace", patch: "update", delete: "delete" };

/** A custom verb in a segment of its own, `/rotate_secret`, which Google's older clients use instead of `:rotateSecret`. */
const VERB_SEGMENT = /\/([a-z]+_[a-z]+)$/;

/**
 * `getTarget` for `GET /v1/targets/{id}`, `listTargets` for `GET /v1/targets`, `rotateTargetSecret` for
 * `POST /v1/targets/{id}:rotate-secret`. A name under `/v1beta` ends in `Beta`.
 * @param isList whether the endpoint answers pages.
 */
export function endpointName(method: string, path: string, isList: boolean): string {
  const [resource = "", verb] = path.replace(VERB_SEGMENT, ":$1").split(":");
  const [, version, ...segments] = /^\/v\d/.test(resource)
    ? resource.split("/")
    : ["", "", ...resource.split("/").slice(1)];
  const words = segments.flatMap((segment, index) => {
    if (segment.startsWith("{")) return [];
    const next = segments[index + 1];
    // A POST to a list creates one entry, so the name has the singular: `createTarget`.
    const isOne = next === undefined ? method !== "get" && verb === undefined : next.startsWith("{");
    return [pascal(isOne ? toSingular(segment) : segment)];
  });
  const [first = "", ...others] = verb === undefined ? [verbOf(method, isList)] : wordsOf(verb);
  return `${first}${words.join("")}${others.map(pascal).join("")}${version === "v1beta" ? "Beta" : ""}`;
}

function verbOf(method: string, isList: boolean): string {
  if (method === "get") return isList ? "list" : "get";
  return VERBS[method] ?? method;
}

const wordsOf = (text: string) => text.replaceAll(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`).split(/[-_]/);

const pascal = (text: string) =>
  wordsOf(text)
    .map((word) => word.charAt(0).toUpperCase() + word.slice(1))
    .join("");

const toSingular = (text: string) => text.replace(/ies$/, "y").replace(/s$/, "");
