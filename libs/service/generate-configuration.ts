import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { settingsDocument } from "./src/settings-document.ts";

await writeFile(join(import.meta.dirname, "../../docs/configuration.md"), settingsDocument());
