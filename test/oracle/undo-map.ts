/** Maps whose changes can be taken back, newest first: a crash loses the end of the log. */

export class History {
  #undo: { offset: number; takeBack: () => void }[] = [];
  /** Offset of the record that makes the changes of this moment. */
  offset = 0;

  note(takeBack: () => void): void {
    this.#undo.push({ offset: this.offset, takeBack });
  }

  /** Takes back what records behind `offset` changed. */
  rollBackTo(offset: number): void {
    for (let last = this.#undo.at(-1); last !== undefined; last = this.#undo.at(-1)) {
      if (last.offset <= offset) break;
      last.takeBack();
      this.#undo.pop();
    }
    this.offset = offset;
  }

  /** Records up to `offset` will never be lost: their changes need not be kept. */
  forgetUpTo(offset: number): void {
    const kept = this.#undo.findIndex((entry) => entry.offset > offset);
    this.#undo = kept < 0 ? [] : this.#undo.slice(kept);
  }
}

export class UndoMap<K, V> extends Map<K, V> {
  readonly #history: History;

  constructor(history: History) {
    super();
    this.#history = history;
  }

  override set(key: K, value: V): this {
    this.#keep(key);
    return super.set(key, value);
  }

  override delete(key: K): boolean {
    this.#keep(key);
    return super.delete(key);
  }

  #keep(key: K): void {
    const before = this.get(key);
    this.#history.note(() => {
      if (before === undefined) super.delete(key);
      else super.set(key, before);
    });
  }
}
