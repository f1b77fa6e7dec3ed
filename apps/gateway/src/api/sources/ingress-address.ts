// The address to which a sender of webhooks sends them.

/** @param publicUrl the value of PUBLIC_URL. While it is not set, the address is a path alone and `url` is null. */
export function showIngressAddress(publicUrl: string | undefined, path: string) {
  return { ingress_path: path, url: publicUrl === undefined ? null : publicUrl + path };
}
