//! The words of the wire contract about assistants and kept prompts. Held against the portal's description in agreement.ts.
import type { Failure, Finish, Sampling } from "@/api/types";

export type Avatar = { icon: string; hue: number };
export type Variable = { name: string; value: string };

/** What an assistant says. */
export type Unit = {
  name: string;
  avatar: Avatar;
  summary: string;
  /** With `{{variables}}`. */
  prompt: string;
  variables: Variable[];
  questions: string[];
  /** Null: the one that the person has chosen. */
  model: string | null;
  sampling: Sampling;
  /** Carried along; nothing calls them yet. */
  plugins: string[];
};

export type Shared = "nobody" | "administrators" | "everyone";

/** As those see it who may ask it. */
export type Assistant = {
  id: string;
  name: string;
  avatar: Avatar;
  summary: string;
  questions: string[];
  model: string | null;
  shared: Shared;
  mine: boolean;
  may_edit: boolean;
  /** The version that answers. */
  published: number | null;
  /** Whether the draft says something else. */
  changed: boolean;
  updated_at: number;
};

export type AssistantVersion = { version: number; current: boolean; note: string; at: number; by_name: string | null };

/** As those see it who may change it. */
export type AssistantDetail = { assistant: Assistant; draft: Unit; revision: number; unfilled: string[]; versions: AssistantVersion[] };

export type Difference = { field: string; before: string; after: string };
export type Persona = { slug: string; category: string; unit: Unit };
export type TriedOut = { text: string; model: string; finish: Finish; failure: Failure | null; completion: number; ttft_ms: number | null };

/** A text that is kept to ask with. */
export type Prompt = { id: string; name: string; text: string; shared: boolean; may_edit: boolean };
