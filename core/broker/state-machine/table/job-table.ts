/**
 * The column table of jobs: typed arrays, 120 bytes a row, so that a million queued jobs are not a million
 * objects. Rows come in pages, so that growing copies nothing. Bodies and texts are not here; a row
 * has the offsets of the log records that hold them.
 */

/** Bytes of a row; a multiple of 8 so that every page has aligned 64-bit floats. */
const rowBytes = 120;
const pageRowsLog2 = 13;
const pageRows = 1 << pageRowsLog2;

// Where each column lies, counted in elements of its width from the start of the row.

/** Numbers of a job, which `JobEntry` has by the same names. */
export const f64Columns = { base: 0, last: 1, changedAtMs: 2, seq: 3, leaseEpoch: 4 } as const;
export const u32Columns = {
  list: 20,
  queue: 21,
  bodyBytes: 22,
  jobBytes: 23,
  lastBytes: 24,
  deliveries: 25,
  holder: 29,
} as const;
export const u16Columns = { attempts: 52, attemptsMax: 53, crashes: 54, returns: 55 } as const;
/** Links of lists: see `RowList`. */
export const linkColumns = { listPrev: 16, listNext: 17, logPrev: 18, logNext: 19 } as const;
/** Bytes, counted in elements of 32 bits: the id, and half of the content digest. */
export const bytesColumns = { id: 10, digest: 14 } as const;
/** Names and flags, as `JobEntry` knows them. */
export const u8Columns = { state: 112, priority: 113, lastEnd: 114, flags: 115 } as const;

/** A page of rows, seen at each width. */
export interface Page {
  readonly f64: Float64Array;
  readonly u32: Uint32Array;
  readonly u16: Uint16Array;
  readonly u8: Uint8Array;
}

export class JobTable {
  readonly #pages: Page[] = [];
  /** Rows that were freed, to be used again first. */
  readonly #free: number[] = [];
  /** Row 0 is never used: it means "none" in links and indices. */
  #used = 1;

  /** Rows in use. */
  get length(): number {
    return this.#used - 1 - this.#free.length;
  }

  /** A row of zeros. */
  allocate(): number {
    const slot = this.#free.pop() ?? this.#used++;
    if (slot >> pageRowsLog2 === this.#pages.length) this.#pages.push(newPage());
    return slot;
  }

  free(slot: number): void {
    const start = (slot & (pageRows - 1)) * rowBytes;
    this.page(slot).u8.fill(0, start, start + rowBytes);
    this.#free.push(slot);
  }

  page(slot: number): Page {
    const page = this.#pages[slot >> pageRowsLog2];
    if (page === undefined) throw new Error(`row ${slot} lies outside the job table`);
    return page;
  }

  /** Whether a job has the row: all of them have a number. */
  holds(slot: number): boolean {
    return slot < this.#used && this.getF64(slot, f64Columns.seq) !== 0;
  }

  getU32(slot: number, column: number): number {
    return this.page(slot).u32[u32At(slot) + column] ?? 0;
  }

  setU32(slot: number, column: number, value: number): void {
    this.page(slot).u32[u32At(slot) + column] = value;
  }

  getF64(slot: number, column: number): number {
    return this.page(slot).f64[f64At(slot) + column] ?? 0;
  }

  getU8(slot: number, column: number): number {
    return this.page(slot).u8[u8At(slot) + column] ?? 0;
  }
}

/** Index of a row's first element in its page, by width. */
export function f64At(slot: number): number {
  return (slot & (pageRows - 1)) * (rowBytes / 8);
}

export function u32At(slot: number): number {
  return (slot & (pageRows - 1)) * (rowBytes / 4);
}

export function u16At(slot: number): number {
  return (slot & (pageRows - 1)) * (rowBytes / 2);
}

export function u8At(slot: number): number {
  return (slot & (pageRows - 1)) * rowBytes;
}

function newPage(): Page {
  const bytes = new ArrayBuffer(pageRows * rowBytes);
  return {
    f64: new Float64Array(bytes),
    u32: new Uint32Array(bytes),
    u16: new Uint16Array(bytes),
    u8: new Uint8Array(bytes),
  };
}
