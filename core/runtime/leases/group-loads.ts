/** How many leases each group of queues has. */

export interface GroupLoad {
  /** Leases that are worked on, or whose files are being written. */
  held: number;
  /** Of these, those whose work has not begun. */
  waiting: number;
  /** Of these, those that are settled: the broker counts them no more. */
  writing: number;
}

export class GroupLoads {
  readonly #loads = new Map<object, GroupLoad>();

  of(group: object): GroupLoad {
    let load = this.#loads.get(group);
    if (load === undefined) {
      load = { held: 0, waiting: 0, writing: 0 };
      this.#loads.set(group, load);
    }
    return load;
  }
}
