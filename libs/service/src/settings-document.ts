import { fallbackOf, type ProcessName, processNames, type Setting, settings, settingsOf } from "./settings.ts";

/** What `--help` prints of a process. */
export function helpText(process: ProcessName, says: string): string {
  const lines = settingsOf(process).map((setting) => {
    const fallback = fallbackOf(setting, process);
    const names = setting.secret ? `${setting.variable}, ${setting.variable}_FILE` : setting.variable;
    return `  ${names}\n      ${setting.says}\n      ${setting.form}${fallback === "" ? "" : `; ${fallback} when absent`}`;
  });
  return [`graviton ${process}: ${says}`, "", "Configured by the environment:", ...lines].join("\n");
}

/** `docs/configuration.md`. */
export function settingsDocument(): string {
  const rows = (Object.values(settings) as Setting[]).map((setting) => {
    const { variable, says, form, secret } = setting;
    const name = secret ? `\`${variable}\`, \`${variable}_FILE\`` : `\`${variable}\``;
    return `| ${name} | ${usersOf(setting)} | ${fallbackText(setting)} | ${says} (${form}) |`;
  });
  return `${[...preamble, "| variable | read by | default | meaning |", "|---|---|---|---|", ...rows].join("\n")}\n`;
}

const preamble = [
  "# Configuration",
  "",
  "Every process reads its settings from the environment when it starts, and checks them all. A variable that is wrong, or",
  "that begins with `GRAVITON_` and is none of these, is a message that names it and exit code 2. `--help` of a process",
  "prints those that it reads. One environment may serve all processes: each ignores the settings of the others.",
  "",
  "A variable with a `_FILE` form may be given as a file that holds the value, as secrets are mounted. The embedded server",
  "(`graviton serve`) reads `GRAVITON_DATA`, `GRAVITON_HOST`, `GRAVITON_GRPC_PORT` and `GRAVITON_HTTP_PORT`, and the",
  "command line `GRAVITON_ENDPOINT`; `graviton serve --help` tells.",
  "",
];

function usersOf({ processes }: Setting): string {
  const all = processNames.filter((name) => name !== "migrate");
  return all.every((name) => processes.includes(name)) ? "all" : processes.join(", ");
}

function fallbackText(setting: Setting): string {
  const texts = [...new Set(setting.processes.map((process) => fallbackOf(setting, process)))];
  return texts.every((text) => text === "") ? "none" : texts.map((text) => `\`${text}\``).join(", ");
}
