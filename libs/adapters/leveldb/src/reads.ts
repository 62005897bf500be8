/** Reads that began between two writes. */
class Generation {
  #running = 0;
  #drained: PromiseWithResolvers<void> | undefined;

  enter(): void {
    this.#running += 1;
  }

  leave(): void {
    this.#running -= 1;
    if (this.#running === 0) this.#drained?.resolve();
  }

  async drained(): Promise<void> {
    if (this.#running === 0) return;
    this.#drained ??= Promise.withResolvers();
    await this.#drained.promise;
  }
}

/** Keeps count of the reads under way, so that a writer can wait for those that began before a certain moment. */
export class Reads {
  #current = new Generation();
  #older: Promise<void> = Promise.resolve();
  #barrier: Promise<void> | undefined;

  async run<T>(read: () => Promise<T>): Promise<T> {
    while (this.#barrier !== undefined) await this.#barrier;
    const generation = this.#current;
    generation.enter();
    try {
      return await read();
    } finally {
      generation.leave();
    }
  }

  /** Resolves once the reads have ended that are under way now; those that begin later are not waited for. */
  ended(): Promise<void> {
    const generation = this.#current;
    this.#current = new Generation();
    this.#older = this.#older.then(() => generation.drained());
    return this.#older;
  }

  /** Runs the work while no read runs: those under way end before it, new ones wait until it is done. */
  async exclude(work: () => Promise<void>): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#barrier = promise;
    try {
      await this.ended();
      await work();
    } finally {
      this.#barrier = undefined;
      resolve();
    }
  }
}
