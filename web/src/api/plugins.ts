//! The wire words of plugins: what a manifest comes to, what is installed, its calls. No requests here.

import type { ToolPart } from "@/api/types";

/** JSON Schema, as far as a form can be made of it; the rest is written as JSON. */
export type Schema = {
  type?: string | string[];
  title?: string;
  description?: string;
  properties?: Record<string, Schema>;
  required?: string[];
  enum?: unknown[];
  default?: unknown;
  format?: string;
  minimum?: number;
  maximum?: number;
  minLength?: number;
  maxLength?: number;
};

/** `hints`: what an MCP server says of its tool, unproven. */
export type PluginTool = { name: string; description: string; parameters: Schema; hints?: { readOnlyHint?: boolean; destructiveHint?: boolean } | null };
export type PluginTrigger = { on: string; types: string[]; pattern: string | null };
/** What is wrong, and where: a path of the manifest or of what was chosen beside it. */
export type Flaw = { field: string; message: string };

/** `secrets`: by name, whether each must be set. */
export type ManifestView = {
  name: string;
  title: string;
  description: string;
  icon: string;
  kind: string;
  permissions: string[];
  tools: PluginTool[];
  triggers: PluginTrigger[];
  auth: string;
  secrets: Record<string, boolean>;
};

export type Auth =
  | { type: "none" | "bearer" | "basic" }
  | { type: "key"; in: "header" | "query"; name: string }
  | { type: "client_credentials"; token_url: string; scope: string };

/** What is chosen beside a manifest. Null is the manifest's own. */
export type Choices = {
  name?: string | null;
  base_url?: string | null;
  operations?: string[] | null;
  auth?: Auth | null;
  private?: boolean;
  timeout_s?: number | null;
  approvals?: ApprovalRule[];
};

/** A call that waits until somebody agrees. `when`: only where an argument is so; `timeout_minutes`: a day where absent. */
export type ApprovalRule = {
  tool: string;
  when?: { argument: string; is: "more_than" | "at_least" | "less_than" | "equal" | "not_equal" | "contains"; value: unknown } | null;
  approver?: { kind: "asker" | "administrators" } | { kind: "people"; people: string[] };
  timeout_minutes?: number | null;
};

export type Plugin = ManifestView & { enabled: boolean; grants: string[]; secrets_set: string[]; choices: Choices; unreachable: Flaw | null };
/** A manifest as it was written: nothing of it is known but that it is JSON. */
export type Document = Record<string, unknown>;
export type PluginList = { plugins: Plugin[]; presets: Document[] };
export type PluginOrder = Choices & { manifest: unknown; grants?: string[]; secrets?: Record<string, string> };
export type PluginChange = { enabled?: boolean; grants?: string[]; secrets?: Record<string, string>; choices?: Choices };
/** `error`: why it failed, a word of the error table. */
export type Tried = { tool: string; text: string; error: string | null; ms: number; parts?: ToolPart[] | null };
export type TryOrder = { tool?: string; arguments?: unknown; question?: string; file?: { name: string; type: string; content: string } };
/** `turn`: null for one that was tried in the console. `outcome`: `done`, or why it failed. */
export type PluginCall = { at: number; person: string; tool: string; turn: string | null; ms: number; outcome: string; sent: string; received: string };
