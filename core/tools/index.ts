/** Tools that agents may use: search and reading over their knowledge, and modules of their own. */

export { type CheckedTool, checkToolModules, hasToolModules } from './check-modules.ts';
export {
  type CheckedCitations,
  checkCitations,
  citesKnowledge,
  type Evidence,
} from './citations.ts';
export type { FoundPassage, KnowledgeBase, SearchResult } from './knowledge/base.ts';
export { type LeftOut, leftOutText } from './knowledge/left-out.ts';
export { openKnowledge } from './knowledge/open.ts';
export { type Pinned, pinKnowledge } from './knowledge/pin.ts';
export { loadTools, ToolModuleError } from './load.ts';
export {
  defineTool,
  type Tool,
  type ToolArguments,
  type ToolContext,
  type ToolParameters,
} from './tool.ts';
