import type { Capabilities } from "@graviton/ports/capabilities";

/** Every write is flushed before it is acknowledged; LevelDB locks its folder, so one process has it at a time. */
export const levelCapabilities: Capabilities = { durable: true, exclusive: true };
