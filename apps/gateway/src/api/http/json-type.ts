// Which media types are JSON: `application/json`, and those that end in `+json` (RFC 6839, 3.1).

const JSON_TYPE = /^application\/([\w.-]+\+)?json\s*(;|$)/i;

/** @param contentType the value of a header `Content-Type`; undefined or null without one. */
export const isJsonType = (contentType: string | null | undefined): boolean => JSON_TYPE.test(contentType ?? "");
