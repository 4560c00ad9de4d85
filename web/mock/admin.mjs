//! The mock's routes for one's own account and for the administration.
import { engineRoutes } from "./engines.mjs";

const now = Date.now();
const MIN = 60_000;
const HOUR = 60 * MIN;
const DAY = 24 * HOUR;
const UA = {
  mac: "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36",
  phone: "Mozilla/5.0 (iPhone; CPU iPhone OS 18_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.5 Mobile/15E148 Safari/604.1",
  windows: "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36 Edg/140.0.0.0",
};
const PRESETS = [
  ["ollama", "Ollama", "Ollama", "http://127.0.0.1:11434", false, true, "Runs on this machine after `ollama serve`; models come by `ollama pull`.", "在本机运行 `ollama serve` 即可；用 `ollama pull` 获取模型。"],
  ["vllm", "vLLM", "vLLM", "http://127.0.0.1:8000", false, true, "Serves models on GPUs: `vllm serve MODEL`.", "在 GPU 上运行模型：`vllm serve 模型`。"],
  ["llama-server", "llama-server", "llama-server", "http://127.0.0.1:8080", false, true, "The server of llama.cpp, for GGUF files: `llama-server -m FILE`.", "llama.cpp 自带的服务，运行 GGUF 文件：`llama-server -m 文件`。"],
  ["deepseek", "DeepSeek", "DeepSeek 深度求索", "https://api.deepseek.com", true, false, "Models of DeepSeek. What is asked leaves your network.", "深度求索的模型。提问内容会离开您的网络。"],
  ["qwen", "Qwen (Alibaba Cloud Model Studio)", "通义千问（阿里云百炼）", "https://dashscope.aliyuncs.com/compatible-mode/v1", true, false, "Qwen models on Alibaba Cloud. What is asked leaves your network.", "阿里云百炼上的通义千问模型。提问内容会离开您的网络。"],
  ["openai", "OpenAI", "OpenAI", "https://api.openai.com/v1", true, false, "Models of OpenAI. What is asked leaves your network.", "OpenAI 的模型。提问内容会离开您的网络。"],
].map(([slug, name, name_zh, base_url, needs_key, local, hint, hint_zh]) => ({ slug, name, name_zh, kind: slug === "ollama" ? "ollama" : "openai", base_url, needs_key, local, hint, hint_zh }));

export function adminRoutes(state, { newId, refuse, live }) {
  let sessions = [
    { id: newId(), current: true, created_at: now - 3 * DAY, seen_at: now, expires_at: now + 27 * DAY, user_agent: UA.mac, address: "192.168.1.20" },
    { id: newId(), current: false, created_at: now - 9 * DAY, seen_at: now - 2 * HOUR, expires_at: now + 21 * DAY, user_agent: UA.phone, address: "192.168.1.43" },
    { id: newId(), current: false, created_at: now - 20 * DAY, seen_at: now - 6 * DAY, expires_at: now + 10 * DAY, user_agent: UA.windows, address: "10.0.3.7" },
  ];
  const scope = (part = {}) => ({ models: [], tasks: [], addresses: [], tokens_per_day: null, tokens_total: null, requests_per_minute: null, ...part });
  const keyOf = (name, prefix, person_name, part) => ({ id: newId(), name, prefix, person: state.me.id, person_name, scope: scope(part.scope), created_at: now - 12 * DAY, expires_at: null, last_used_at: null, tokens_today: 0, tokens_total: 0, ...part, ...(part.scope ? { scope: scope(part.scope) } : {}) });
  let keys = [
    keyOf("Zed editor", "pk-7fQ2bZ", state.me.display_name, { last_used_at: now - 4 * MIN, tokens_today: 18_412, tokens_total: 1_204_331 }),
    keyOf("CI summaries", "pk-Qm30xC", state.me.display_name, { expires_at: now + 3 * DAY, last_used_at: now - 3 * HOUR, tokens_today: 172_020, tokens_total: 3_900_112, scope: { models: ["main", "vllm/*"], addresses: ["10.0.0.0/8", "192.168.4.17/32"], tokens_per_day: 200_000, tokens_total: 5_000_000, requests_per_minute: 60 } }),
    keyOf("Nightly report", "pk-Kx81mA", state.me.display_name, { created_at: now - 40 * DAY, expires_at: now - DAY, last_used_at: now - 2 * DAY, tokens_total: 88_120 }),
  ];
  const others = [keyOf("客服机器人", "pk-Tz9aLe", "陈宇", { person: "x", expires_at: now + 90 * DAY, last_used_at: now - MIN, tokens_today: 402_118, tokens_total: 9_120_002, scope: { models: ["main"], tokens_per_day: 500_000 } })];
  const people = [
    { id: state.me.id, name: "lin", display_name: state.me.display_name, role: state.me.role, disabled: false, created_at: now - 60 * DAY, last_seen_at: now, tokens_today: 18230, daily_token_limit: null },
    { id: newId(), name: "chen.yu", display_name: "陈宇", role: "admin", disabled: false, created_at: now - 50 * DAY, last_seen_at: now - 3 * HOUR, tokens_today: 4210, daily_token_limit: null },
    { id: newId(), name: "maria", display_name: "María Fernández de la Cruz", role: "member", disabled: false, created_at: now - 20 * DAY, last_seen_at: now - DAY, tokens_today: 0, daily_token_limit: 50000 },
    { id: newId(), name: "old.tom", display_name: "Tom", role: "member", disabled: true, created_at: now - 58 * DAY, last_seen_at: null, tokens_today: 0, daily_token_limit: null },
  ];
  let invitations = [
    { id: newId(), role: "member", note: "法务部 · 王敏", created_by_name: "林晓", created_at: now - HOUR, expires_at: now + 6 * DAY, used_by_name: null },
    { id: newId(), role: "admin", note: "", created_by_name: "林晓", created_at: now - 8 * DAY, expires_at: now - 2 * DAY, used_by_name: null },
    { id: newId(), role: "member", note: "María", created_by_name: "陈宇", created_at: now - 20 * DAY, expires_at: now - 13 * DAY, used_by_name: "María Fernández de la Cruz" },
  ];
  let providers = [...new Set(state.models.map((model) => model.provider))].filter((id) => id !== "local" && id !== "alias").map((id) => ({
    id: id === "vllm" ? id : newId(),
    slug: id,
    name: state.models.find((model) => model.provider === id).provider_name,
    kind: id === "ollama" ? "ollama" : "openai",
    base_url: id === "vllm" ? "http://gpu-01.internal:8000/v1" : "http://127.0.0.1:11434/v1",
    source: id === "vllm" ? "file" : "settings",
    has_key: id === "vllm",
    enabled: true,
    discover: id !== "vllm",
    problem: id === "ollama" && !process.env.MOCK_OLLAMA ? { code: "unreachable", message: "http://127.0.0.1:11434 refuses connections" } : null,
  }));
  const modelsOf = (slug) => state.models.filter((model) => model.provider === slug).map((model) => ({ id: model.id, name: model.id.slice(slug.length + 1), display_name: model.name, enabled: model.enabled, state: model.state }));
  const view = ({ slug, ...provider }) => ({ ...provider, models: modelsOf(slug) });
  const locals = () => state.models.filter((model) => model.local).map((model) => ({ id: model.id, name: model.name, kind: "engine", base_url: `/srv/models/${model.name}.gguf`, source: "local", has_key: false, enabled: true, discover: false, problem: null, models: [{ id: model.id, name: model.id.slice(6), display_name: model.name, enabled: true, state: model.state }] }));
  const told = () => live({ type: "models", models: state.models.filter((model) => model.enabled) });
  const link = (page) => ({ id: newId(), link: `http://127.0.0.1:8421/${page}#token=q7xJ2mVtY0c9hWf4LrKpZ8sBnA1dEgUo`, expires_at: now + DAY });
  const change = (provider, body) => {
    Object.assign(provider, Object.fromEntries(Object.entries({ name: body.name, base_url: body.base_url, enabled: body.enabled }).filter(([, value]) => value !== undefined)));
    if (body.api_key !== undefined) provider.has_key = body.api_key !== "";
    if (!body.models) return;
    provider.discover = body.models.length === 0;
    const named = body.models.length > 0 ? body.models : [{ name: "llama3.2:3b" }, { name: "qwen3:8b" }];
    const kept = state.models.filter((model) => model.provider !== provider.slug);
    const made = named.map((model) => ({ id: `${provider.slug}/${model.name}`, name: model.display_name ?? model.name, provider: provider.slug, provider_name: provider.name, local: false, context: 32768, chat_template: true, answers: true, enabled: model.enabled !== false, state: { state: "ready" }, alias: false, targets: [], modalities: ["text"] }));
    state.models.splice(0, state.models.length, ...kept, ...made);
  };

  const CAN = ["models", "chat", "stream", "usage", "tools", "json_schema", "vision", "logprobs", "reasoning", "embeddings", "rerank"];
  const SAID = { models: "3 listed, this one among them", chat: "OK.", stream: "9 pieces", usage: "31 tokens read, 15 written", tools: '{"city":"Paris"}', json_schema: '{"answer":42}', vision: "Red", logprobs: "4 tokens with theirs", reasoning: "First, six times seven …", embeddings: "1024 numbers", rerank: "1, 0" };
  const evidence = (answers) => CAN.map((capability, at) => ({ capability, answer: { y: "yes", n: "no", u: "unknown" }[answers[at]], status: answers[at] === "n" ? 400 : null, said: answers[at] === "y" ? SAID[capability] : answers[at] === "n" ? `this server does not support ${capability}` : "no answer in time", latency_ms: 120 + at * 37 }));
  const tested = new Map([
    ["local/qwen3-8b", [now - 5 * MIN, "yyyyyynyynn"]],
    ["vllm/llama3-70b", [now - 3 * HOUR, "yyyyyynynnn"]],
    ["vllm/glm-4-9b", [now - 3 * HOUR, "yyyynyuynnn"]],
  ]);
  const matrix = (id) => {
    const model = decodeURIComponent(id);
    const [at = null, answers = ""] = tested.get(model) ?? [];
    return { model, at, rows: answers ? evidence(answers) : [], cost: { requests: 9, tokens: 1500 } };
  };

  return [
    ["GET", /^\/api\/models\/(.+)\/capabilities$/, ([id]) => matrix(id)],
    ["POST", /^\/api\/models\/(.+)\/capabilities$/, async ([id]) => {
      await new Promise((done) => setTimeout(done, 1800));
      tested.set(decodeURIComponent(id), [Date.now(), "yyyynnnnnnn"]);
      return matrix(id);
    }],
    ...engineRoutes(state, { newId, refuse, live, providers: () => providers }),
    ["GET", /^\/api\/sessions$/, () => sessions],
    ["DELETE", /^\/api\/sessions$/, () => void (sessions = sessions.filter((one) => one.current))],
    ["DELETE", /^\/api\/sessions\/(.+)$/, ([id]) => void (sessions = sessions.filter((one) => one.id !== id))],
    ["PUT", /^\/api\/me\/password$/, (_, __, body) => void (body.current === "wrong" && refuse(401, "wrong_credentials"))],
    ["POST", /^\/api\/reset$/, () => undefined],
    ["POST", /^\/api\/join\/check$/, (_, __, body) => (body.token === "spent" ? refuse(410, "link_spent") : { role: "member", invited_by: "林晓", brand: { name: "Portico" } })],
    ["POST", /^\/api\/join$/, (_, __, body) => {
      if (body.name === "lin") refuse(409, "name_taken");
      state.signedIn = true;
      return Object.assign(state.me, { name: body.name, display_name: body.display_name, role: "member" });
    }],
    ["GET", /^\/api\/keys$/, (_, query) => (query.get("of") ? [...keys, ...others] : keys)],
    ["GET", /^\/api\/keys\/(.+)\/usage$/, ([id]) => {
      const key = [...keys, ...others].find((one) => one.id === id) ?? refuse(404, "not_found");
      const days = Array.from({ length: 30 }, (_, back) => ({ day: new Date(now - (29 - back) * DAY).toISOString().slice(0, 10), prompt: Math.round(90_000 * (1 + Math.sin(back / 3)) * (back % 7 < 5 ? 1 : 0.15)), completion: Math.round(32_000 * (1 + Math.cos(back / 4)) * (back % 7 < 5 ? 1 : 0.2)), turns: 12 + back }));
      return { tokens_today: key.tokens_today, tokens_per_day: key.scope.tokens_per_day, tokens_total: key.tokens_total, tokens_total_limit: key.scope.tokens_total, resets_at: now + DAY, days: key.tokens_today === 0 ? [] : days.filter((_, at) => at !== 11) };
    }],
    ["PATCH", /^\/api\/keys\/(.+)$/, ([id], _, body) => Object.assign([...keys, ...others].find((one) => one.id === id) ?? refuse(404, "not_found"), body)],
    ["POST", /^\/api\/keys$/, (_, __, body) => {
      const made = keyOf(body.name, "pk-4bXw9Q", state.me.display_name, { created_at: Date.now(), expires_at: body.expires_at ?? null, scope: body.scope });
      keys = [made, ...keys];
      return { ...made, key: "pk-4bXw9QmT0rZkLsV2nYcJ8hGdUe1AfPq6XiBo3WtMvR5y" };
    }],
    ["DELETE", /^\/api\/keys\/(.+)$/, ([id]) => void (keys = keys.filter((one) => one.id !== id))],
    ["GET", /^\/api\/people$/, () => people],
    ["PATCH", /^\/api\/people\/([^/]+)$/, ([id], _, body) => {
      const person = people.find((one) => one.id === id) ?? refuse(404, "not_found");
      if (person.role === "owner" && (body.role || body.disabled)) refuse(409, "conflict", "this is the last owner");
      return Object.assign(person, body);
    }],
    ["POST", /^\/api\/people\/([^/]+)\/reset$/, () => link("reset")],
    ["GET", /^\/api\/invitations$/, () => invitations],
    ["POST", /^\/api\/invitations$/, (_, __, body) => {
      const made = link("join");
      invitations = [{ id: made.id, role: body.role, note: body.note ?? "", created_by_name: state.me.display_name, created_at: Date.now(), expires_at: Date.now() + body.days * DAY, used_by_name: null }, ...invitations];
      return made;
    }],
    ["DELETE", /^\/api\/invitations\/(.+)$/, ([id]) => void (invitations = invitations.filter((one) => one.id !== id))],
    ["GET", /^\/api\/providers$/, () => [...locals(), ...providers.map(view)]],
    ["GET", /^\/api\/providers\/presets$/, () => ({ presets: PRESETS })],
    ["POST", /^\/api\/providers\/test$/, async (_, __, body) => {
      await new Promise((done) => setTimeout(done, 900));
      if (body.base_url.includes("bad")) return { ok: false, failure: { code: "unreachable", message: "connection refused" }, base_url: null, models: [], latency_ms: null };
      if (body.base_url.includes("api.") && !body.api_key) return { ok: false, failure: { code: "upstream_refused", message: "401" }, base_url: null, models: [], latency_ms: null };
      return { ok: true, base_url: `${body.base_url.replace(/\/(v1\/?)?$/, "")}/v1`, models: ["llama3.2:3b", "qwen3:8b", "qwen3:32b", "nomic-embed-text"].map((name) => ({ name, context: name.includes("32b") ? 131072 : null })), latency_ms: 38, failure: null };
    }],
    ["POST", /^\/api\/providers\/import$/, async (_, __, body) => {
      await new Promise((done) => setTimeout(done, 700));
      if (!body.card.includes("{")) refuse(422, "invalid_request", "line 1, column 1: this is no card: there is no object in it; paste the whole file, from `const` or `{` on");
      const plan = {
        slug: "local-model",
        name: "Local LLM (via Ollama)",
        kind: "ollama",
        base_url: "http://localhost:11434",
        models: [{ name: "llama3", display_name: "Llama3", enabled: true, streaming: true }, { name: "mistral", display_name: "Mistral", enabled: true, streaming: true }],
        asked: [{ kind: "ollama", url: "http://localhost:11434/api/tags", answered: true, told: "llama3:latest, nomic-embed-text:latest" }, { kind: "openai", url: "http://localhost:11434/v1/models", answered: true, told: "llama3:latest, nomic-embed-text:latest" }],
        notes: [
          { code: "contradiction", message: "The card says `/api/generate` and `openai-compatible`, which cannot both be meant: `/api/generate` is Ollama's native endpoint and not OpenAI-compatible (it takes one prompt and answers in lines of JSON of its own), while an OpenAI-compatible server is asked at /v1/chat/completions. The server was asked both ways.", message_zh: "卡片同时写了 `/api/generate` 和 `openai-compatible`，两者不能同时成立：`/api/generate` 是 Ollama 的原生接口，并不兼容 OpenAI（它接收单个 prompt，并以自己的 JSON 行作答）；兼容 OpenAI 的服务应在 /v1/chat/completions 提问。已用两种方式询问该服务。" },
          { code: "asked", message: "It answered both ways, so it is an Ollama; its own interface tells more and is used.", message_zh: "两种方式都有回应，可见是 Ollama；将使用信息更全的原生接口。" },
          { code: "not_installed", message: "`mistral` is not installed there: `ollama pull mistral`, or pull it here after adding.", message_zh: "`mistral` 尚未安装：执行 `ollama pull mistral`，或添加后在这里下载。" },
        ],
      };
      if (body.confirm) {
        const made = { id: newId(), slug: plan.slug, name: plan.name, kind: plan.kind, base_url: plan.base_url, source: "settings", has_key: false, enabled: true, discover: false, problem: null };
        providers.push(made);
        change(made, { models: plan.models });
        told();
      }
      return { plan, provider: null };
    }],
    ["POST", /^\/api\/providers\/discover$/, async () => {
      await new Promise((done) => setTimeout(done, 600));
      const known = (port) => providers.find((one) => one.base_url.includes(`:${port}`))?.slug ?? null;
      return {
        found: [
          { preset: "ollama", name: "Ollama", kind: "ollama", base_url: "http://127.0.0.1:11434", version: "0.12.3", models: ["llama3:latest", "qwen3:8b", "nomic-embed-text:latest"], latency_ms: 4, known: known(11434) },
          { preset: "vllm", name: "vLLM", kind: "openai", base_url: "http://127.0.0.1:8000/v1", version: "0.11.0", models: ["Qwen/Qwen3-32B"], latency_ms: 7, known: null },
        ],
      };
    }],
    ["POST", /^\/api\/providers$/, (_, __, body) => {
      const made = { id: newId(), slug: body.name.toLowerCase().replace(/[^a-z0-9]+/g, "-"), name: body.name, kind: body.kind ?? "openai", base_url: body.base_url, source: "settings", has_key: Boolean(body.api_key), enabled: true, discover: !body.models, problem: null };
      providers.push(made);
      change(made, { models: body.models ?? [] });
      told();
      return view(made);
    }],
    ["PATCH", /^\/api\/providers\/(.+)$/, ([id], _, body) => {
      const provider = providers.find((one) => one.id === id) ?? refuse(404, "not_found");
      change(provider, body);
      told();
      return view(provider);
    }],
    ["DELETE", /^\/api\/providers\/(.+)$/, ([id]) => {
      const gone = providers.find((one) => one.id === id);
      providers = providers.filter((one) => one.id !== id);
      state.models.splice(0, state.models.length, ...state.models.filter((model) => model.provider !== gone?.slug));
      told();
    }],
  ];
}
