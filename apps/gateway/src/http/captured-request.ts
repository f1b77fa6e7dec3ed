// A webhook that somebody captured, to be judged again without being taken in.

export interface CapturedRequest {
  /** The name of the source that got the request. */
  sourceName: string;
  /** The part of the path behind the name of the source. */
  token: string | undefined;
  /** By names in lower case. */
  headers: Readonly<Record<string, string>>;
  body: Buffer;
  /** The instant to judge by; milliseconds since 1970. */
  atMs: number;
}
