#!/usr/bin/env node
import { runService } from "@graviton/service/run-service";
import { blockService } from "./block-service.ts";

process.env.GRPC_VERBOSITY ??= "NONE";
process.exitCode = await runService(blockService, process.argv.slice(2), process.env);
