// SPDX-License-Identifier: Apache-2.0
// Works through a list a few items at a time, and leaves nothing running behind when one of them fails.

/**
 * Calls `work` once for each item, at most `width` at a time, in order of the list. When one fails, no further item is
 * begun, the signal that the others got is aborted, and the error is thrown once all have ended.
 */
export async function sideBySide<T>(
  items: readonly T[],
  width: number,
  work: (item: T, signal: AbortSignal) => Promise<void>,
  signal?: AbortSignal,
): Promise<void> {
  const failure = new AbortController();
  const both = signal === undefined ? failure.signal : AbortSignal.any([failure.signal, signal]);
  const queue = [...items];
  const worker = async (): Promise<void> => {
    for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
      both.throwIfAborted();
      await work(next, both).catch((error: unknown) => {
        failure.abort(error);
        throw error;
      });
    }
  };
  await Promise.allSettled(Array.from({ length: width }, worker));
  both.throwIfAborted(); // with the first error as its reason
}
