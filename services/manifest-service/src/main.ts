#!/usr/bin/env node
import { runService } from "@graviton/service/run-service";
import { manifestService } from "./manifest-service.ts";

process.env.GRPC_VERBOSITY ??= "NONE";
// A backend that is still to answer would keep the process.
process.exit(await runService(manifestService, process.argv.slice(2), process.env));
