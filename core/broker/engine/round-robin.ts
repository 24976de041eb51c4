/**
 * Whose turn it is among many that want to be served: rounds, with one visit of each. Who has some of
 * its visit left goes first, as the new flows of FQ-CoDel do (RFC 8290, section 4.2); before them, a few
 * visits long, who asks so little that nothing is left behind. A visit cannot always be cut where it should
 * end: what one used at once all may use in that round. So whoever asks little waits for nobody who asks
 * much, and keeps nobody from a visit in each round.
 */

/** Visits in a round that go first for one that leaves nothing behind. */
const visitsOfSmall = 8;

interface Visit {
  round: number;
  /** How much of a visit was used in that round: 1 is all of it. */
  used: number;
}

export class RoundRobin<M extends object> {
  /** Those that ask little and may go before all others. */
  readonly #small: Set<M> = new Set();
  /** Those that have some of their visit left. */
  readonly #first: Set<M> = new Set();
  /** The others of this round, in the order in which they are served, and those of the next one. */
  #ready: Set<M> = new Set();
  #next: Set<M> = new Set();
  readonly #visits: WeakMap<M, Visit> = new WeakMap();
  #round = 0;
  /** The most that a member used at once, in this round and in the one before. */
  #most = 0;
  #mostBefore = 0;

  get size(): number {
    return this.#small.size + this.#first.size + this.#ready.size + this.#next.size;
  }

  has(member: M): boolean {
    const isFirst = this.#small.has(member) || this.#first.has(member);
    return isFirst || this.#ready.has(member) || this.#next.has(member);
  }

  /** @param isSmall a visit serves all that it wants by now */
  add(member: M, isSmall: boolean): void {
    if (this.#ready.has(member) || this.#next.has(member)) return;
    const first = isSmall ? this.#small : this.#first;
    const those = this.mayGoFirst(member, isSmall) ? first : this.#next;
    // Who asks for more keeps its place, unless it asks little no longer.
    if (those.has(member)) return;
    this.delete(member);
    those.add(member);
  }

  delete(member: M): void {
    for (const those of [this.#small, this.#first, this.#ready, this.#next]) those.delete(member);
  }

  /** Takes the one that is next. */
  take(): M | undefined {
    if (this.size === this.#next.size) {
      [this.#ready, this.#next] = [this.#next, this.#ready];
      this.renew();
    }
    const those = [this.#small, this.#first].find(({ size }) => size > 0) ?? this.#ready;
    const [member] = those;
    if (member !== undefined) those.delete(member);
    return member;
  }

  /** Takes the one that is next of those that ask much. */
  takeLarge(): M | undefined {
    const small = [...this.#small];
    this.#small.clear();
    const member = this.take();
    for (const one of small) this.#small.add(one);
    return member;
  }

  /** From here on nobody has used anything of a visit; the order stays. */
  renew(): void {
    this.#round += 1;
    this.#mostBefore = this.#most;
    this.#most = 0;
  }

  /** True when it would go before those that used up their visit in this round. */
  mayGoFirst(member: M, isSmall: boolean): boolean {
    const visits = Math.max(isSmall ? visitsOfSmall : 1, this.#most, this.#mostBefore);
    return this.#usedBy(member) < visits;
  }

  /** It was served for a part of a visit. */
  use(member: M, part: number): void {
    const used = this.#usedBy(member) + part;
    this.#most = Math.max(this.#most, part);
    this.#visits.set(member, { round: this.#round, used });
  }

  #usedBy(member: M): number {
    const visit = this.#visits.get(member);
    return visit?.round === this.#round ? visit.used : 0;
  }
}
