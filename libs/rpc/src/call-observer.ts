/** A call that a server begins to serve. */
export interface ServedCall {
  /** `graviton.blob.v1.BlobService`. */
  readonly service: string;
  /** `PutBlob`. */
  readonly method: string;
  /** The address of the caller. */
  readonly peer: string;
  /** The headers of the call. */
  readonly header: Headers;
}

/** Follows one call from its beginning to its end. */
export interface CallObservation {
  /** Runs the work of the call. Whatever the work calls in turn runs inside of this too. */
  run<T>(work: () => T): T;
  /** Bytes of one more message of the caller. */
  received(bytes: number): void;
  /** Bytes of one more message to the caller. */
  sent(bytes: number): void;
  /** The call has ended, with this status of gRPC: `OK`, `NOT_FOUND`. Called once. */
  end(code: string): void;
}

/** Told of every call that a server serves: for metrics, logs and traces. */
export type CallObserver = (call: ServedCall) => CallObservation;

/** Follows nothing. */
export const unobserved: CallObserver = () => ({ run: (work) => work(), received() {}, sent() {}, end() {} });
