#!/usr/bin/env node
import { run } from "./program.ts";

const exitCode = await run(process.argv.slice(2));
// An empty write ends after all others have: nothing printed is lost, and no open input keeps the process.
process.stdout.write("", () => process.exit(exitCode));
