/**
 * Fair queueing: members are served in rounds, one visit each. A member with some of its visit left
 * goes first, as the new flows of FQ-CoDel do (RFC 8290, section 4.2); before those go small members,
 * whose visit serves all that they want, for up to a few visits. A visit cannot always be cut where
 * it should end: what one member used at once, all may use in that round. So small members do not
 * wait for large ones, and every member has a visit in each round.
 */

/** Visits of a small member in a round that go first. */
const visitsOfSmall = 8;

interface Visit {
  round: number;
  /** Share of a visit used in that round; 1 is all of it. */
  used: number;
}

export class RoundRobin<M extends object> {
  /** Small members that go before all others. */
  readonly #small: Set<M> = new Set();
  /** Members that have some of their visit left. */
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

  /** @param isSmall one visit serves all that the member wants now */
  add(member: M, isSmall: boolean): void {
    if (this.#ready.has(member) || this.#next.has(member)) return;
    const first = isSmall ? this.#small : this.#first;
    const those = this.mayGoFirst(member, isSmall) ? first : this.#next;
    // A member that is added again keeps its position, unless it is no longer small.
    if (those.has(member)) return;
    this.delete(member);
    those.add(member);
  }

  delete(member: M): void {
    for (const those of [this.#small, this.#first, this.#ready, this.#next]) those.delete(member);
  }

  /** Removes and returns the next member. */
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

  /** The same, small members left out. */
  takeLarge(): M | undefined {
    const small = [...this.#small];
    this.#small.clear();
    const member = this.take();
    for (const one of small) this.#small.add(one);
    return member;
  }

  /** Begins a new round without changing the order. */
  renew(): void {
    this.#round += 1;
    this.#mostBefore = this.#most;
    this.#most = 0;
  }

  /** True when it would go before the members that used up their visit in this round. */
  mayGoFirst(member: M, isSmall: boolean): boolean {
    const visits = Math.max(isSmall ? visitsOfSmall : 1, this.#most, this.#mostBefore);
    return this.#usedBy(member) < visits;
  }

  /** Records that the member was served for a part of a visit. */
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
