/** `aiq.config.yaml`, environment and flags, merged and checked. */

export { type Config, ConfigError, type ProviderConfig } from './config.ts';
export {
  type Environment,
  type LoadedEnvironment,
  type Lookup,
  loadEnvironment,
} from './find-config.ts';
export { type ConfigRequest, loadConfig, type Overrides } from './load-config.ts';
export { environmentName, type SettingPath, settingPaths } from './settings.ts';
