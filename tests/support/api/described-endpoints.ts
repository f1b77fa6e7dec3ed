// The endpoints of the OpenAPI document, one by one, for the tests that hold of each.

interface Described {
  description?: string;
  example?: unknown;
}

export interface DescribedContent {
  content?: Record<string, { schema: object; example?: unknown }>;
}

export interface DescribedEndpoint extends Described {
  /** In small letters. */
  method: string;
  path: string;
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: (Described & { name: string; schema?: Described })[];
  requestBody?: DescribedContent;
  responses: Record<string, Described & DescribedContent>;
}

/** @param paths of the document, as it is made or as it is served. */
export function endpointsOf({ paths = {} }: { paths?: Record<string, object> | undefined }): DescribedEndpoint[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, object>).map(([method, endpoint]) => {
      return { ...endpoint, method, path } as unknown as DescribedEndpoint;
    }),
  );
}
