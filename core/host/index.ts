/** A folder's broker: found, started when none answers, checked and stopped. */

export { type BrokerStatus, brokerStatus, stopBroker } from './control.ts';
export { readEndpoints } from './endpoints.ts';
export { type EnsureOptions, ensureBroker } from './ensure.ts';
export {
  becomeBrokerProcess,
  brokerEnvironment,
  brokerNodeFlags,
  type Ending,
  type SpawnBroker,
  type StartedBroker,
  spawnBroker,
} from './spawn.ts';
export { type Starting, startingText, untilStarted } from './starting.ts';
