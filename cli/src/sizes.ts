const unitBytes: Readonly<Record<string, number>> = {
  "": 1,
  b: 1,
  k: 1024,
  kib: 1024,
  kb: 1000,
  m: 1024 ** 2,
  mib: 1024 ** 2,
  mb: 1000 ** 2,
  g: 1024 ** 3,
  gib: 1024 ** 3,
  gb: 1000 ** 3,
  t: 1024 ** 4,
  tib: 1024 ** 4,
  tb: 1000 ** 4,
};

/**
 * A size as people write it, in bytes: `65536`, `512KiB`, `1.5 MiB`, `2MB`; a letter alone counts in 1,024s. Undefined
 * for anything else, and for what is not a whole number of bytes.
 */
export function parseSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*([a-z]*)$/i.exec(text.trim()) ?? [];
  const factor = unitBytes[unit?.toLowerCase() ?? ""];
  if (amount === undefined || factor === undefined) return undefined;
  const bytes = Number(amount) * factor;
  return Number.isSafeInteger(bytes) ? bytes : undefined;
}

/** A size for people: `17 B`, `12.4 MiB`. */
export function formatSize(bytes: number): string {
  if (bytes < 1024) return `${Math.round(bytes)} B`;
  const names = ["KiB", "MiB", "GiB", "TiB", "PiB"];
  let amount = bytes / 1024;
  let unit = 0;
  // 1023.95 KiB would be rounded up to a number that has a unit of its own.
  while (amount >= 1023.95 && unit < names.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount.toFixed(1)} ${names[unit]}`;
}
