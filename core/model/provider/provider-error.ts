/** A provider that cannot be used as configured: what is missing and where to put it. */

import { CodedError } from '../../base/index.ts';

export type ProviderErrorCode =
  | 'no_credentials'
  | 'unknown_provider'
  | 'bad_base_url'
  | 'bad_model'
  | 'no_model'
  | 'no_local_server';

export class ProviderError extends CodedError<ProviderErrorCode> {}
