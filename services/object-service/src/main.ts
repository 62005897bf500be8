#!/usr/bin/env node
import { runService } from "@graviton/service/run-service";
import { objectService } from "./object-service.ts";

process.env.GRPC_VERBOSITY ??= "NONE";
process.exitCode = await runService(objectService, process.argv.slice(2), process.env);
