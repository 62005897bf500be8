#!/usr/bin/env node
import { runService } from "@graviton/service/run-service";
import { gateway } from "./gateway.ts";

process.env.GRPC_VERBOSITY ??= "NONE";
process.exitCode = await runService(gateway, process.argv.slice(2), process.env);
