/**
 * Whose turn it is among many that want to be served: rounds, with one visit of each. Who has some of
 * its visit left goes first, as the new flows of FQ-CoDel do (RFC 8290, section 4.2); who asks so little
 * that nothing is left behind, a few visits long. So whoever asks little waits for nobody, and keeps
 * nobody from a visit in each round.
 */

/** Visits in a round that go first for one that leaves nothing behind. */
const visitsOfSmall = 8;

interface Visit {
  round: number;
  /** How much of a visit was used in that round: 1 is all of it. */
  used: number;
}

export class Rounds<M extends object> {
  /** Those that have some of their visit left. */
  readonly #first: Set<M> = new Set();
  /** The others of this round, in the order in which they are served, and those of the next one. */
  #ready: Set<M> = new Set();
  #next: Set<M> = new Set();
  readonly #visits: WeakMap<M, Visit> = new WeakMap();
  #round = 0;

  get size(): number {
    return this.#first.size + this.#ready.size + this.#next.size;
  }

  has(member: M): boolean {
    return this.#first.has(member) || this.#ready.has(member) || this.#next.has(member);
  }

  /** @param isSmall a visit serves all that it wants by now */
  add(member: M, isSmall: boolean): void {
    if (this.#ready.has(member) || this.#next.has(member)) return;
    (this.mayGoFirst(member, isSmall) ? this.#first : this.#next).add(member);
  }

  delete(member: M): void {
    for (const those of [this.#first, this.#ready, this.#next]) those.delete(member);
  }

  /** Takes the one that is next. */
  take(): M | undefined {
    if (this.#first.size === 0 && this.#ready.size === 0) {
      [this.#ready, this.#next] = [this.#next, this.#ready];
      this.#round += 1;
    }
    const those = this.#first.size > 0 ? this.#first : this.#ready;
    const [member] = those;
    if (member !== undefined) those.delete(member);
    return member;
  }

  /** True when it would go before those that used up their visit in this round. */
  mayGoFirst(member: M, isSmall: boolean): boolean {
    return this.#usedBy(member) < (isSmall ? visitsOfSmall : 1);
  }

  /** It was served for a part of a visit. */
  use(member: M, part: number): void {
    const used = this.#usedBy(member) + part;
    this.#visits.set(member, { round: this.#round, used });
  }

  #usedBy(member: M): number {
    const visit = this.#visits.get(member);
    return visit?.round === this.#round ? visit.used : 0;
  }
}
