import type { Capabilities } from "@graviton/ports/capabilities";

/** A committed row survives whatever ends the process, and any number of processes share the database. */
export const postgresCapabilities: Capabilities = { durable: true, exclusive: false };
