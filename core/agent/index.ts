/** `agent.yaml` to a checked `Agent`: discovery, schema, templates, input, output. */

export { didYouMean, formatFinding as formatProblem } from '../yaml/index.ts';
export {
  type Agent,
  AgentError,
  type BrokenAgent,
  type ChatMessage,
  type CompiledAgent,
  type InputProblem,
  type JobContext,
  type JsonObject,
  type ModelOptions,
  type ModelSettings,
  type OutputFormat,
  type OverwritePolicy,
  type Problem,
  type RenderedFile,
  type TemplateSource,
} from './agent.ts';
export { discoverAgents, loadAgent, shadowsShipped } from './discover.ts';
export { BrokenAgentError, UnknownAgentError } from './errors.ts';
export { inputChecker, schemaChecker, type ValueChecker } from './input/check-input.ts';
export {
  type Converted,
  convertFlag,
  type FlagType,
  flaglessProperties,
  type SchemaFlag,
  schemaFlags,
} from './input/flags.ts';
export { type AgentDefaults, isAgentName } from './manifest/read-agent.ts';
export { builtInTools } from './manifest/read-parts.ts';
export { compileAgent, lintAgent, templateFaults } from './on-demand.ts';
export { packageRoot } from './package-root.ts';
export { hideSecrets, isSecretPlace, withoutTexts } from './schema/secrets.ts';
