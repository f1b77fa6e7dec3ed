// The name of an endpoint in clients that are generated from the document: what is done, and to what. It is derived by
// one rule, so that a client's methods read like one another.

const VERBS: Record<string, string> = { post: "create", put: "replace", patch: "update", delete: "delete" };

/** Resources that are stated under the path of another one, by a verb in a segment: as Google's older clients have it. */
const VERB_SEGMENT = /\/([a-z]+_[a-z]+)$/;

/**
 * `getTarget` for a GET of `/v1/targets/{id}`, `listTargets` for one of `/v1/targets` where that has pages,
 * `rotateTargetSecret` for a POST of `/v1/targets/{id}:rotate-secret`, and `…Beta` under `/v1beta`.
 * @param isList whether it answers pages.
 */
export function endpointName(method: string, path: string, isList: boolean): string {
  const [resource = "", verb] = path.replace(VERB_SEGMENT, ":$1").split(":");
  const [, version, ...segments] = /^\/v\d/.test(resource)
    ? resource.split("/")
    : ["", "", ...resource.split("/").slice(1)];
  const words = segments.flatMap((segment, index) => {
    if (segment.startsWith("{")) return [];
    const next = segments[index + 1];
    // What is created is one of them.
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
