// Lists the endpoints of the OpenAPI document, for tests that check every endpoint.

interface Described {
  description?: string;
  example?: unknown;
}

export interface DescribedContent {
  content?: Record<string, { schema: object; example?: unknown }>;
}

export interface DescribedEndpoint extends Described {
  /** In lower case, as in the document. */
  method: string;
  path: string;
  operationId?: string;
  summary?: string;
  tags?: string[];
  parameters?: (Described & { name: string; schema?: Described })[];
  requestBody?: DescribedContent & { required?: boolean };
  responses: Record<string, Described & DescribedContent>;
}

/** @param paths the paths of the document, either created by createDocument() or parsed from /openapi.json. */
export function endpointsOf({ paths = {} }: { paths?: Record<string, object> | undefined }): DescribedEndpoint[] {
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item as Record<string, object>).map(([method, endpoint]) => {
      return { ...endpoint, method, path } as unknown as DescribedEndpoint;
    }),
  );
}
