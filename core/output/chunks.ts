/** Bounded parallelism over the files of a result: a thousand files must not need a thousand handles. */

const chunkSize = 4;

/** Maps in order; the items of one chunk run beside each other, the chunks one after the other. */
export async function inChunks<T, R>(
  items: readonly T[],
  work: (item: T, index: number) => Promise<R>,
): Promise<R[]> {
  const results: R[] = [];
  for (let start = 0; start < items.length; start += chunkSize) {
    const chunk = items.slice(start, start + chunkSize);
    results.push(...(await Promise.all(chunk.map((item, at) => work(item, start + at)))));
  }
  return results;
}
