import type { Capabilities } from "@graviton/ports/capabilities";

/** Memory ends with its process, and only its process can see it. */
export const memoryCapabilities: Capabilities = { durable: false, exclusive: false };
