/** The offline model: an endpoint on loopback that answers chat completions with labelled extracts. */

export { offlineLabel, offlineNotice } from './notice.ts';
export { type OfflineEndpoint, startOfflineThread } from './start.ts';
