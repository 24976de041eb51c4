/** What the tools for a broker's folder refuse, apart from damage and a lock. */

/** Nothing was changed: the folders named do not allow what was asked. */
export class MaintenanceError extends Error {
  /** What to do instead, one line each. */
  readonly fixes: readonly string[];

  constructor(message: string, ...fixes: string[]) {
    super(message);
    this.name = 'MaintenanceError';
    this.fixes = fixes;
  }
}
