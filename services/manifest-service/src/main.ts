#!/usr/bin/env node
import { runService } from "@graviton/service/run-service";
import { manifestService } from "./manifest-service.ts";

process.env.GRPC_VERBOSITY ??= "NONE";
process.exitCode = await runService(manifestService, process.argv.slice(2), process.env);
