/**
 * Resolves at the first SIGINT or SIGTERM, with its name. Those that follow are left to the caller's patience: the
 * second one ends the process at once.
 */
export function stopSignal(): Promise<NodeJS.Signals> {
  const first = Promise.withResolvers<NodeJS.Signals>();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.once(name, () => {
      first.resolve(name);
      process.once(name, () => process.exit(130));
    });
  }
  return first.promise;
}
