/** The failure of a run as a whole, in one class, whatever layer it comes from. */

/**
 * Nothing can be done. `code` says why: `no_agent`, a provider's `no_credentials`,
 * `unknown_provider`, `bad_base_url`, `no_model` or `no_local_server`, what the provider answered
 * (such as `unauthorized`), or `threads_fail`. Jobs that were not done stay queued, uncharged.
 */
export class RunError extends Error {
  readonly code: string;

  constructor(code: string, message: string, options?: ErrorOptions) {
    super(message, options);
    this.name = 'RunError';
    this.code = code;
  }
}
