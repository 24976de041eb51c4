/** Refusals of verify, backup, restore and salvage, apart from damage and a lock. */

/** The given folders do not allow the operation; nothing was changed. */
export class MaintenanceError extends Error {
  /** What to do instead, one line each. */
  readonly fixes: readonly string[];

  constructor(message: string, ...fixes: string[]) {
    super(message);
    this.name = 'MaintenanceError';
    this.fixes = fixes;
  }
}
