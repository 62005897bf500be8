#!/usr/bin/env node
import { enableCompileCache } from "node:module";

// Most runs are short; reading compiled modules takes half the time of reading their sources.
enableCompileCache();
// What fails is told once, by whoever called; gRPC's library would print lines of its own beside it.
process.env.GRPC_VERBOSITY ??= "NONE";
const { run } = await import("./program.ts");
const exitCode = await run(process.argv.slice(2));
// An empty write ends after all others have: nothing printed is lost, and no open input keeps the process.
process.stdout.write("", () => process.exit(exitCode));
