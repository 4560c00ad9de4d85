//! The words of the wire contract, one name for each idea. No requests here; see client.ts.

import type { FileRef, LeftOut } from "@/api/files";

export type Role = "owner" | "admin" | "member";
export type Language = "zh-CN" | "en";
export type Theme = "system" | "light" | "dark";

export type Sampling = {
  temperature?: number | null;
  top_p?: number | null;
  top_k?: number | null;
  min_p?: number | null;
  frequency_penalty?: number | null;
  presence_penalty?: number | null;
  seed?: number | null;
  max_tokens?: number | null;
  stop?: string[] | null;
};

export type Settings = {
  theme?: Theme;
  typing_animation?: boolean;
  system_prompt?: string;
  sampling?: Sampling;
  default_model?: string;
  [free: string]: unknown;
};

export type Me = { id: string; name: string; display_name: string; role: Role; language: Language | null; settings: Settings };

export type Bootstrap = {
  version: string;
  setup_needed: boolean;
  me: Me | null;
  brand: { name: string };
  model_count: number;
  max_body_bytes: number;
  daily_token_limit: number | null;
  local_engine: boolean;
};

export type Failure = { code: string; message: string };

export type ModelState =
  | { state: "cold" }
  | { state: "loading"; percent: number | null; eta_ms: number | null }
  | { state: "warming" }
  | { state: "ready" }
  | { state: "failed"; code: string; message: string };

export type Model = {
  id: string;
  name: string;
  provider: string;
  provider_name: string;
  local: boolean;
  /** The small model that comes with Portico. */
  starter: boolean;
  context: number | null;
  chat_template: boolean | null;
  /** Whether it answers questions; embedders, rerankers, voices and painters do not. */
  answers: boolean;
  enabled: boolean;
  state: ModelState;
  /** A name for others, its `targets`. */
  alias: boolean;
  targets: string[];
  /** What it takes: `text`, `image`, `audio`, `video`; empty where nobody tells. */
  modalities: string[];
};

export type ModelList = { models: Model[]; default: string | null };

export type Finish = "stop" | "length" | "tool_calls" | "content_filter" | "stopped" | "cancelled" | "interrupted" | "failed" | "waiting";
/** How sure the model was, in thousandths: of the whole answer, and of the few tokens in a row of which it was least sure. */
export type Confidence = { mean: number; worst: number; worst_from: number };
export type Usage = { prompt: number; completion: number; cached: number; reasoning: number; reported: boolean; confidence?: Confidence | null };
/** `from` gave no first token, for the reason `code`; `to` was asked in its place. */
export type FellBack = { from: string; to: string; code: string };
/** An attempt that gave no answer. `model`: a deployment; of a model of which none could be asked, that model. */
export type Tried = { model: string; code: string };
/** What a tool did, in short; `error`: why it failed, a word of the error table. */
export type ToolStep = { plugin: string; tool: string; ms: number; error?: string | null; parts?: ToolPart[] | null };
/** What a tool answered beside its text, to be shown. `data` is base64. */
export type ToolPart =
  | { type: "text"; text: string }
  | { type: "table"; columns: string[]; rows: unknown[][]; cut?: boolean }
  | { type: "image"; name: string; media_type: string; data: string }
  | { type: "file"; name: string; media_type: string; data: string };
/** What the log says of a call in one's own turn: masked and cut. `outcome`: `done`, or why it failed. */
export type StepCall = { plugin: string; title: string | null; tool: string; at: number; ms: number; outcome: string; sent: string; received: string };
/** How an answer came about: the deployment that answered (empty where none did), who was asked before it, the wait for a place, and the parameters that its dialect has no word for. */
export type Provenance = { provider: string; model: string; tried: Tried[]; queued_ms: number; dropped: string[]; steps?: ToolStep[] | null; left_out?: LeftOut[] | null; network_ms?: number | null; spent?: Spent | null };
/** Where the time of an answer went, in milliseconds. */
export type Spent = { tools: number; queue: number; network: number; prefill: number; decode: number };
export type Trimmed = { messages: number; tokens: number };

export type Message = {
  id: string;
  parent: string | null;
  author: "user" | "assistant" | "system";
  text: string;
  thought: string | null;
  at: number;
  model: string | null;
  turn: string | null;
  finish: Finish | null;
  failure: Failure | null;
  usage: Usage | null;
  ttft_ms: number | null;
  tpot_ms: number | null;
  trimmed: Trimmed | null;
  /** Null where nobody was asked, and in answers of before it was kept. */
  provenance: Provenance | null;
  /** What its person thinks of it. */
  rating: Rating | null;
  /** What is attached to a question. */
  files: FileRef[];
};

export type RatingChoice = { verdict: "good" | "bad"; reasons: string[]; note: string; correction: string | null; shared: boolean };
export type Rating = RatingChoice & { at: number };

export type Dataset = { id: string; name: string; note: string; held_out: number; seed: number; draft: number; examples: number; created_at: number; updated_at: number };
export type ExampleMessage = { role: string; content: string };
export type Example = {
  id: string;
  messages: ExampleMessage[];
  source: "file" | "rated" | "corrected" | "written";
  origin: string;
  included: boolean;
  held_out: boolean;
  issues: string[];
  twin: string | null;
  at: number;
};
export type ExamplePage = {
  items: Example[];
  matching: number;
  total: number;
  trained: number;
  held_out: number;
  left_out: number;
  issues: Record<string, number>;
  languages: Record<string, number>;
  longest: number;
  characters: number;
};
export type ImportFault = { line: number; code: string; message: string };
export type ImportShown = { line: number; messages: ExampleMessage[]; issues: string[] };
export type ImportResult = { format: string | null; found: number; added: number; duplicates: number; near: number; faults: ImportFault[]; faulty: number; shown: ImportShown[] };
export type DatasetVersion = { version: number; note: string; trained: number; held_out: number; share: number; seed: number; sha256: string; at: number };

export type Conversation = {
  id: string;
  title: string;
  titled_by: "none" | "auto" | "person";
  model: string | null;
  system_prompt: string | null;
  sampling: Sampling;
  pinned: boolean;
  archived: boolean;
  created_at: number;
  updated_at: number;
  head: string | null;
  /** The assistant it is had with, and the version that the last question was asked with. */
  assistant: string | null;
  assistant_version: number | null;
  running: string[];
};

export type ConversationPage = { items: Conversation[]; next: string | null };
export type ConversationDetail = { conversation: Conversation; messages: Message[] };
export type ConversationChange = Partial<Pick<Conversation, "title" | "pinned" | "archived" | "model" | "system_prompt" | "sampling" | "head">>;

export type Ask = {
  conversation?: string;
  parent?: string | null;
  text?: string;
  /** The ids of the person's own files. */
  files?: string[];
  regenerate?: string;
  model?: string;
  system_prompt?: string;
  sampling?: Sampling;
  /** Whom a new conversation is had with. */
  assistant?: string;
  /** Minutes by which this clock is ahead of UTC. */
  utc_offset?: number;
  ask_id: string;
};
export type Accepted = { turn: string; conversation: Conversation; question: Message; answer: Message };

export type TurnEvent =
  | { type: "snapshot"; text: string; thought: string | null; events_until: number }
  | { type: "started"; turn: string; model: string }
  | { type: "queued"; position: number; eta_ms: number | null }
  | { type: "warming"; state: ModelState }
  | ({ type: "fell_back" } & FellBack)
  | { type: "trimmed"; messages: number; tokens: number }
  | ({ type: "left_out" } & LeftOut)
  | { type: "delta"; text: string }
  | { type: "thought"; text: string }
  | { type: "tool_called"; index: number; id: string | null; name: string | null; arguments: string }
  | { type: "consulted"; step: ToolStep; text: string }
  | { type: "tool_answered"; index: number; step: ToolStep; text: string }
  | { type: "used"; usage: Usage }
  | { type: "unsaved"; unsaved: boolean }
  | { type: "finished"; finish: Finish; failure: Failure | null; ttft_ms?: number | null; tpot_ms?: number | null; message?: Message | null; unsaved?: boolean };

export type LiveEvent =
  | { type: "models"; models: Model[] }
  | { type: "pulls"; pulls: Pull[] }
  | { type: "conversation"; id: string; change: "created" | "updated" | "deleted" }
  | { type: "turn"; turn: string; conversation: string; change: "started" | "finished" }
  | { type: "event"; turn: string; id: number; event: TurnEvent }
  | { type: "approvals" }
  | { type: "ping" };

export type SearchHit = {
  conversation: string;
  title: string;
  message: string | null;
  author: "user" | "assistant" | "system" | null;
  at: number;
  snippet: { text: string; hit: boolean }[];
};

export type Session = { id: string; current: boolean; created_at: number; seen_at: number; expires_at: number; user_agent: string | null; address: string | null };
export type DayUsage = { day: string; used: number; limit: number | null; resets_at: number };
export type Invitation = { id: string; role: Role; note: string | null; created_by_name: string; created_at: number; expires_at: number; used_by_name: string | null };
/** Shown once. */
export type OneTimeLink = { id: string; link: string; expires_at: number };
export type JoinCheck = { role: Role; invited_by: string; brand: { name: string } };
export type Person = {
  id: string;
  name: string;
  display_name: string;
  role: Role;
  disabled: boolean;
  created_at: number;
  last_seen_at: number | null;
  tokens_today: number;
  daily_token_limit: number | null;
};
/** What a key may do. An empty list is everything its person may, null no limit. */
export type KeyScope = {
  models: string[];
  tasks: string[];
  addresses: string[];
  tokens_per_day: number | null;
  tokens_total: number | null;
  requests_per_minute: number | null;
};
export type ApiKey = {
  id: string;
  name: string;
  prefix: string;
  person: string;
  person_name: string;
  scope: KeyScope;
  created_at: number;
  expires_at: number | null;
  last_used_at: number | null;
  tokens_today: number;
  tokens_total: number;
};
/** Days (UTC) on which something was used with a key, oldest first. */
export type KeyDay = { day: string; prompt: number; completion: number; turns: number };
export type KeyUsage = { tokens_today: number; tokens_per_day: number | null; tokens_total: number; tokens_total_limit: number | null; resets_at: number; days: KeyDay[] };
export type NewApiKey = ApiKey & { key: string };
export type ProviderModel = { id: string; name: string; display_name: string | null; enabled: boolean; state: ModelState };
export type Provider = {
  id: string;
  name: string;
  /** Which adapter reaches it: `openai`, `azure`, `ollama` … */
  kind: string;
  base_url: string;
  source: "file" | "settings" | "local";
  has_key: boolean;
  enabled: boolean;
  models: ProviderModel[];
  problem: Failure | null;
  discover: boolean;
};
export type ProviderTest =
  | { ok: true; base_url: string; models: { name: string; context: number | null }[]; latency_ms: number }
  | { ok: false; failure: Failure };
export type Preset = { slug: string; name: string; name_zh: string; kind: string; base_url: string; needs_key: boolean; local: boolean; hint: string; hint_zh: string };

/** A remark about a card that is imported, in both languages. */
export type CardNote = { code: string; message: string; message_zh: string };
/** What would be made of a card, and what its server said when it was asked. */
export type CardPlan = {
  slug: string;
  name: string;
  kind: string;
  base_url: string;
  models: { name: string; display_name: string | null; enabled: boolean; streaming: boolean }[] | null;
  asked: { kind: string; url: string; answered: boolean; told: string }[];
  notes: CardNote[];
};
/** A server that answers on this machine. `known`: the provider that is configured there already. */
export type Found = { preset: string; name: string; kind: string; base_url: string; version: string | null; models: string[]; latency_ms: number; known: string | null };

export type Capability = "models" | "chat" | "stream" | "usage" | "tools" | "json_schema" | "vision" | "logprobs" | "reasoning" | "embeddings" | "rerank";
/** What a small real request showed: whether it can, and the first words of what came back. */
export type Evidence = { capability: Capability; answer: "yes" | "no" | "unknown"; status: number | null; said: string; latency_ms: number };
/** `at`: null where it was never tested. `cost`: what a test asks for at most. */
export type Matrix = { model: string; at: number | null; rows: Evidence[]; cost: { requests: number; tokens: number } };

/** A model on an Ollama's disk; `loaded`: what it takes in memory, in bytes. */
export type Installed = {
  name: string;
  size: number;
  family: string | null;
  parameter_size: string | null;
  quantization: string | null;
  context: number | null;
  capabilities: string[] | null;
  loaded: { size: number; size_vram: number; expires_at: string | null; context: number | null } | null;
};
/** A model on its way to a disk. One that failed or was cancelled goes on where it was when asked for again. */
export type Pull = { id: string; provider: string; model: string; state: "running" | "done" | "failed" | "cancelled"; status: string; total: number; completed: number; failure: Failure | null };

/** A deployment as the router sees it now. `limit` null: as many as come; `first_token` null: it has not answered yet. */
export type Deployment = {
  id: string;
  name: string;
  provider_name: string;
  state: ModelState;
  breaker: "closed" | "open" | "half_open" | "cooling";
  draining: boolean;
  load: number;
  limit: number | null;
  waiting: number;
  first_token: { p50_ms: number; p95_ms: number; answers: number } | null;
  /** The least time of the way there and back; null: nobody has measured it. */
  rtt_ms: number | null;
};

/** What a maker publishes of a model. Sizes are bytes by quantisation; prices millionths of the currency for a million tokens. */
export type FamilyModel = {
  name: string;
  licence: string | null;
  parameters: number | null;
  active: number | null;
  context: number;
  max_output: number | null;
  input: string[];
  output: string[];
  capabilities: string[];
  kv_bytes_per_token: number | null;
  price: { input: number; output: number; cached: number | null; currency: string; source: string; date: string } | null;
  sizes: Record<string, number>;
};
export type Family = { slug: string; name: string; name_zh: string; maker: string; licence: string; licence_url: string; source: string; models: FamilyModel[] };

export type Balance = "least_busy" | "weighted" | "prefix_aware" | "sticky";
/** What an alias says: a name that stays while the models behind it change. */
export type AliasContent = {
  title: string | null;
  targets: { model: string; weight: number; known: boolean }[];
  balance: Balance;
  fallbacks: string[];
  max_concurrent: number | null;
  catch_all: boolean;
};
/** `environment` null: in every one that has none of its own. `version` null: of the configuration file. */
export type Alias = AliasContent & {
  name: string;
  environment: string | null;
  source: "file" | "settings";
  in_force: boolean;
  version: number | null;
  changed_at: number | null;
  changed_by_name: string | null;
  note: string | null;
};
export type AliasList = { environment: string | null; aliases: Alias[] };
/** `content` null: this version took the alias away. `restores`: the version whose content it brought back. */
export type AliasVersion = { version: number; current: boolean; content: AliasContent | null; restores: number | null; note: string; changed_at: number; changed_by_name: string | null };

/** An answer with its figures, the old one or the new one. */
export type Said = { text: string; model: string | null; finish: Finish | null; failure: Failure | null; prompt: number; completion: number; ttft_ms: number | null; tpot_ms: number | null };
/** `similarity`: 0 to 1; null where there is no new answer. */
export type Compared = { seq: number; conversation: string; title: string; question: string; question_text: string; similarity: number | null; old: Said; new: Said };
export type Figures = { tokens: number; ttft_ms: number | null; tpot_ms: number | null };
export type Replay = { id: string; alias: string; target: string; state: "running" | "finished" | "cancelled" | "interrupted"; total: number; done: number; started_at: number; finished_at: number | null };
export type ReplayResult = Replay & { summary: { compared: number; failed: number; similarity: number | null; old: Figures; new: Figures }; answers: Compared[] };

/** What a model takes of the portal's machine, in bytes, with `context` tokens. */
export type Room = { weights: number; cache: number; overhead: number; needed: number; context: number; fits: boolean };
/** A model file on the portal's machine. */
export type LibraryModel = {
  name: string;
  path: string;
  place: "folder" | "in_place" | "ollama";
  bytes: number;
  sha256: string | null;
  source: string | null;
  licence: string | null;
  architecture: string | null;
  kind: "chat" | "embedding" | "reranker" | null;
  quant: string | null;
  parameters: number | null;
  context: number | null;
  chat_template: boolean | null;
  room: Room | null;
  running: boolean;
  resting: boolean;
  configured: boolean;
  problem: string | null;
};
/** A model file on its way there. One that failed or was stopped goes on where it was. */
export type LibraryDownload = { name: string; url: string; state: "running" | "done" | "failed" | "paused"; checking: boolean; have: number; total: number; message: string | null; code: string | null };
export type Library = { folder: string; free_disk: number | null; free_memory: number | null; runs_models: boolean; from: string; models: LibraryModel[]; downloads: LibraryDownload[] };
/** A local model that computes with an adapter where it is asked to, as the model `id`. */
export type Attachment = { model: string; id: string; scale: number; state: ModelState | null };
/** A LoRA adapter on the portal's machine. */
export type Adapter = {
  name: string;
  path: string;
  bytes: number;
  architecture: string | null;
  rank: number | null;
  alpha: number | null;
  matrices: number | null;
  card: Record<string, unknown> | null;
  attached: Attachment[];
  problem: string | null;
};
export type AdapterList = { folder: string; adapters: Adapter[]; models: string[] };
/** A model of the catalogue in one quantisation. */
export type Offer = { name: string; title: string; quant: string; licence: string; licence_url: string; context: number; repo: string; bytes: number; room: Room; recommended: boolean };

export type Learner = { name: string; architecture: string; parameters: number; needed: number; free: number | null; fits: boolean };
export type JobState = "queued" | "running" | "stopped" | "interrupted" | "failed" | "done";
export type Recipe = { file: string; rank: number; alpha: number; learning_rate: number; epochs: number; seed: number };
export type Progress = { step?: number; steps?: number; loss?: number; held_out?: number | null; tokens_per_s?: number; eta_s?: number; epoch?: number };
export type Job = {
  id: string;
  name: string;
  model: string;
  dataset: string;
  version: number;
  recipe: Recipe;
  state: JobState;
  progress: Progress;
  failure: string | null;
  result: { folder: string; card?: unknown } | null;
  created_at: number;
  started_at: number | null;
  finished_at: number | null;
};
export type Training = { can_train: boolean; models: Learner[]; jobs: Job[] };
export type Loss = { step: number; train: number | null; held_out: number | null };
export type JobDetail = { job: Job; losses: Loss[] };
export type JobOrder = { name: string; model: string; dataset: string; version: number; rank: number; alpha: number; learning_rate: number; epochs: number; seed: number };
