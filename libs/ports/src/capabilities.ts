/** What an adapter declares about itself, as an exported constant, so that nobody has to find out by trying. */
export interface Capabilities {
  /** What was acknowledged is there again after the process ended, however it ended. */
  readonly durable: boolean;
  /** Only one process at a time can open the storage; a second opener is refused with UNAVAILABLE. */
  readonly exclusive: boolean;
}
