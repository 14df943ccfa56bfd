/** Counts the calls in flight on a handle, so that closing it can wait for them. */
export class Flights {
  #count = 0;
  #onIdle: (() => void) | undefined;

  begin(): void {
    this.#count++;
  }

  end(): void {
    this.#count--;
    if (this.#count === 0) this.#onIdle?.();
  }

  /** Counts a call until its promise settles. */
  async during<T>(call: Promise<T>): Promise<T> {
    this.begin();
    try {
      return await call;
    } finally {
      this.end();
    }
  }

  /** Resolves when none is in flight; none must begin after this was called. */
  async idle(): Promise<void> {
    if (this.#count === 0) return;
    await new Promise<void>((resolve) => {
      this.#onIdle = resolve;
    });
  }
}
