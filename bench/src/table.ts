/** One measurement, beside the one that it is compared with. */
export interface Row {
  readonly name: string;
  readonly bytesPerSecond: number;
  /** The measurement divided by what its table compares with. Holds from machine to machine where bytes do not. */
  readonly ratio: number;
}

/** Prints a title and, in columns, name, GB/s (10^9 bytes) and ratio. */
export function printTable(title: string, rows: readonly Row[]): void {
  const width = Math.max(...rows.map((row) => row.name.length));
  console.log(`\n${title}`);
  for (const { name, bytesPerSecond, ratio } of rows) {
    const speed = (bytesPerSecond / 1e9).toFixed(2).padStart(7);
    console.log(`  ${name.padEnd(width)} ${speed} GB/s ${ratio.toFixed(3).padStart(8)}`);
  }
}
