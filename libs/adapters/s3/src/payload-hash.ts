const known = new WeakMap<object, string>();

/**
 * The same body, of which the driver is to say this hash instead of making one: its SHA-256 in hexadecimal digits, or
 * `UNSIGNED-PAYLOAD` for none. S3 refuses a body that hashes to another.
 */
export function hashedAs<Body extends object>(body: Body, hash: string): Body {
  known.set(body, hash);
  return body;
}

/** The header that says the hash of the body of this input, where it is known: the signer takes it as it is. */
export function payloadHashHeader(input: object): Record<string, string> {
  const body = (input as { Body?: unknown }).Body;
  const hash = typeof body === "object" && body !== null ? known.get(body) : undefined;
  return hash === undefined ? {} : { "x-amz-content-sha256": hash };
}
