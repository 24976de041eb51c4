/** `aiq.config.yaml`, environment and flags, merged and checked. */

export { type BudgetConfig, type Config, ConfigError, type ProviderConfig } from './config.ts';
export { type ExplainedSetting, explainConfig, type SettingOrigin } from './explain-config.ts';
export {
  type Environment,
  type LoadedEnvironment,
  type Lookup,
  loadEnvironment,
} from './find-config.ts';
export { loadConfig } from './load-config.ts';
export { ownProviders } from './own-config.ts';
export { environmentName, type SettingPath, settingPaths, unknownVariables } from './settings.ts';
export { parsePath, ValueError } from './values.ts';
export type { ConfigRequest, Overrides } from './written.ts';
