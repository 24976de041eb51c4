/**
 * Moves bytes between threads without surprises: every byte view inside a message is copied once
 * into one slab, and the slab is transferred. A plain structured clone of a view would copy the
 * whole buffer behind it, and transferring that buffer would take it from its other readers.
 */

/** A message whose byte views all lie in `slab`; post it with the slab as the transfer list. */
interface Packed<T> {
  readonly value: T;
  readonly transfer: readonly ArrayBuffer[];
}

/** Leaves `value` as it is; the copy shares whatever holds no bytes. */
export function packBytes<T>(value: T): Packed<T> {
  const { views, bytes } = measure(value, { views: 0, bytes: 0 });
  if (views === 0) return { value, transfer: [] };
  const slab = new Uint8Array(bytes);
  let at = 0;
  const move = (view: Uint8Array): Uint8Array => {
    const moved = slab.subarray(at, at + view.length);
    moved.set(view);
    at += view.length;
    return moved;
  };
  return { value: replaceViews(value, move) as T, transfer: [slab.buffer] };
}

function measure(
  value: unknown,
  sum: { views: number; bytes: number },
): { views: number; bytes: number } {
  if (typeof value !== 'object' || value === null) return sum;
  if (value instanceof Uint8Array) {
    sum.views += 1;
    sum.bytes += value.length;
  } else if (Array.isArray(value)) {
    for (const item of value) measure(item, sum);
  } else {
    for (const name in value) measure((value as Record<string, unknown>)[name], sum);
  }
  return sum;
}

function replaceViews(value: unknown, move: (view: Uint8Array) => Uint8Array): unknown {
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Uint8Array) return move(value);
  if (Array.isArray(value)) return value.map((item) => replaceViews(item, move));
  const copy: Record<string, unknown> = {};
  for (const name in value) {
    copy[name] = replaceViews((value as Record<string, unknown>)[name], move);
  }
  return copy;
}
