/** Health of a provider's models: one pure function of what calls met, and when. */

export {
  type Health,
  type HealthEvent,
  type HealthStatus,
  type HealthStep,
  isHeld,
  isPutOff,
  needsPerson,
  newHealth,
  type OutagePatience,
  opensAtMs,
  type ProbeResult,
  type ProviderFailure,
  roomOf,
  step,
  type Verdict,
  wantsProbe,
} from './health.ts';
