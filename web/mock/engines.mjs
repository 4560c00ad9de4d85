//! The mock's routes for aliases, their replays, the load of deployments, the catalogue, and an Ollama's disk.
import { readFileSync, readdirSync } from "node:fs";

const now = Date.now();
const MIN = 60_000;
const HOUR = 60 * MIN;

const QUESTIONS = [
  ["供应商合同风险审查", "请用三句话说明违约金条款的风险。", "违约金按日 0.3% 计，没有上限，可能远超实际损失。法院可以请求适当减少。建议改为日 0.05%，累计不超过总价的 10%。", "违约金按日 0.3% 计，且没有上限，可能远远超过实际损失。根据民法典，可以请求适当减少。建议改为日 0.05%，并约定累计不超过总价的 10%。"],
  ["Why is the sky blue", "Why is the sky blue?", "Because short wavelengths scatter more: blue light is scattered by air about four times as strongly as red light, so it reaches us from every direction.", "Because shorter wavelengths scatter more strongly: blue light is scattered by the air about five times as much as red light, so it reaches our eyes from every direction."],
  ["Release notes", "Write one line of release notes for the new queue.", "Requests now wait in a fair queue and show their place and how long it will take.", "Requests now wait in a fair queue and show their place and how long it will take."],
  ["vLLM 部署排障", "vLLM 启动报显存不足，怎么办？", "把 `--gpu-memory-utilization` 调低到 0.85 试试。", null],
];

/** The catalogue's own files, as far as their TOML goes: tables, strings, numbers, lists of strings. */
function families() {
  const folder = new URL("../../catalog/models/", import.meta.url);
  return readdirSync(folder).map((file) => {
    const family = { models: [] };
    let into = family;
    for (const line of readFileSync(new URL(file, folder), "utf8").split("\n")) {
      const table = /^\[+model\.?(\w*)\]+$/.exec(line);
      const [, key, value] = /^([\w.-]+) = (.+)$/.exec(line) ?? [];
      if (table && table[1] === "") family.models.push((into = { licence: null, parameters: null, active: null, max_output: null, kv_bytes_per_token: null, price: null, sizes: {} }));
      else if (table) into = family.models.at(-1)[table[1]] = table[1] === "price" ? { cached: null } : {};
      else if (key) into[key.replaceAll('"', "")] = JSON.parse(/^[\d_]+$/.test(value) ? value.replaceAll("_", "") : value);
    }
    for (const model of family.models) model.kv_bytes_per_token ??= model.layers ? 4 * model.layers * model.kv_heads * model.head_dim : null;
    return family;
  });
}

export function engineRoutes(state, { newId, refuse, live, providers }) {
  const content = (part) => ({ title: null, balance: "least_busy", fallbacks: [], max_concurrent: null, catch_all: false, ...part });
  const past = new Map();
  const keyOf = (name, environment) => `${name} ${environment ?? ""}`;
  const put = (name, environment, said, { restores = null, note = "", at = Date.now(), by = state.me.display_name } = {}) => {
    const versions = past.get(keyOf(name, environment)) ?? [];
    versions.unshift({ version: versions.length + 1, content: said, restores, note, changed_at: at, changed_by_name: by });
    past.set(keyOf(name, environment), versions);
  };
  put("main", "development", content({ title: "Main", targets: [{ model: "openai/gpt-4", weight: 1 }] }), { at: now - 40 * HOUR });
  put("main", "production", content({ title: "Main", targets: [{ model: "vllm/glm-4-9b", weight: 1 }] }), { at: now - 60 * HOUR, by: "陈宇" });
  put("main", "production", content({ title: "Main", targets: [{ model: "vllm/llama3-70b", weight: 3 }, { model: "vllm/glm-4-9b", weight: 1 }], fallbacks: ["local/qwen3-8b"], max_concurrent: 32 }), { at: now - 2 * HOUR, note: "after a replay of 20 questions" });
  put("fast", null, content({ title: "Fast", targets: [{ model: "local/qwen3-8b", weight: 1 }], catch_all: true }), { at: now - 5 * HOUR });
  const known = (said) => said && { ...said, targets: said.targets.map((target) => ({ ...target, known: state.models.some((model) => model.id === target.model) })) };
  const list = () => ({
    environment: "production",
    aliases: [...past].flatMap(([key, [newest]]) => {
      if (!newest.content) return [];
      const [name, environment] = key.split(" ");
      return [{ name, environment: environment || null, source: "settings", in_force: environment !== "development", ...known(newest.content), version: newest.version, changed_at: newest.changed_at, changed_by_name: newest.changed_by_name, note: newest.note || null }];
    }),
  });
  const of = (name, environment) => past.get(keyOf(decodeURIComponent(name), environment)) ?? refuse(404, "not_found");
  const replays = new Map();
  const mean = (values) => (values.length === 0 ? null : values.reduce((sum, value) => sum + value, 0) / values.length);
  const said = (text, model, ttft_ms, tpot_ms) => ({ text: text ?? "", model, finish: text === null ? "failed" : "stop", failure: text === null ? { code: "timed_out", message: "no answer within 90 s" } : null, prompt: 48, completion: text === null ? 0 : Math.ceil(text.length / 3), ttft_ms: text === null ? null : ttft_ms, tpot_ms: text === null ? null : tpot_ms });
  const result = (replay) => {
    const done = replay.state === "cancelled" ? replay.done : Math.min(replay.total, Math.floor((Date.now() - replay.started_at) / 600));
    if (replay.state === "running") Object.assign(replay, { done, ...(done === replay.total ? { state: "finished", finished_at: Date.now() } : {}) });
    const answers = QUESTIONS.slice(0, done).map(([title, question_text, old, fresh], seq) => ({ seq, conversation: newId(), title, question: newId(), question_text, similarity: fresh === null ? null : [0.82, 0.86, 1][seq], old: said(old, "vllm/llama3-70b", 231 + seq * 12, 18.4), new: said(fresh, replay.target, 142 + seq * 9, 11.2) }));
    const figures = (side) => ({ tokens: answers.reduce((sum, one) => sum + one[side].prompt + one[side].completion, 0), ttft_ms: mean(answers.flatMap((one) => one[side].ttft_ms ?? [])), tpot_ms: mean(answers.flatMap((one) => one[side].tpot_ms ?? [])) });
    return { ...replay, summary: { compared: answers.length, failed: answers.filter((one) => one.new.failure).length, similarity: mean(answers.flatMap((one) => one.similarity ?? [])), old: figures("old"), new: figures("new") }, answers };
  };

  return [
    ["GET", /^\/api\/catalog\/models$/, () => ({ families: families() })],
    ["GET", /^\/api\/deployments$/, () => {
      const beat = Date.now() / 9000;
      return state.models.filter((model) => !model.alias).map((model, at) => {
        const failed = model.state.state === "failed";
        const limit = model.local ? 4 : at % 2 ? null : 16;
        const load = failed ? 0 : Math.max(0, Math.round((limit ?? 9) * (0.6 + 0.5 * Math.sin(beat + at))));
        const capped = Math.min(load, limit ?? load);
        return {
          id: model.id, name: model.name, provider_name: model.provider_name, state: model.state, breaker: failed ? "open" : at === 2 ? "cooling" : "closed", draining: at === 2,
          load: capped, limit, waiting: load - capped, first_token: failed || model.state.state === "cold" ? null : { p50_ms: 38 + at * 120.5, p95_ms: 96 + at * 640, answers: 256 - at * 90 },
        };
      });
    }],
    ["GET", /^\/api\/aliases$/, list],
    ["POST", /^\/api\/aliases$/, (_, __, { name, environment = null, note, ...rest }) => {
      if (past.get(keyOf(name, environment))?.[0].content) refuse(409, "name_taken");
      put(name, environment, content(rest), { note });
      return list();
    }],
    ["GET", /^\/api\/aliases\/([^/]+)\/history$/, ([name], query) => of(name, query.get("environment")).map((one, at) => ({ ...one, content: known(one.content), current: at === 0 }))],
    ["PUT", /^\/api\/aliases\/([^/]+)$/, ([name], _, { environment = null, note, ...rest }) => {
      of(name, environment);
      put(name, environment, content(rest), { note });
      return list();
    }],
    ["DELETE", /^\/api\/aliases\/([^/]+)$/, ([name], query) => void (of(name, query.get("environment")), put(name, query.get("environment"), null))],
    ["POST", /^\/api\/aliases\/([^/]+)\/switch$/, ([name], _, { environment = null, target, version, note }) => {
      const versions = of(name, environment);
      put(name, environment, version ? versions.find((one) => one.version === version).content : { ...versions[0].content, targets: [{ model: target, weight: 1 }] }, { restores: version ?? null, note });
      return list();
    }],
    ["POST", /^\/api\/aliases\/([^/]+)\/rollback$/, ([name], _, { environment = null }) => {
      const before = of(name, environment)[1] ?? refuse(409, "conflict");
      put(name, environment, before.content, { restores: before.version });
      return list();
    }],
    ["POST", /^\/api\/aliases\/([^/]+)\/replay$/, ([alias], _, { target }) => {
      const made = { id: newId(), alias, target, state: "running", total: QUESTIONS.length, done: 0, started_at: Date.now(), finished_at: null };
      replays.set(made.id, made);
      return made;
    }],
    ["GET", /^\/api\/replays\/([^/]+)$/, ([id]) => result(replays.get(id) ?? refuse(404, "not_found"))],
    ["POST", /^\/api\/replays\/([^/]+)\/cancel$/, ([id]) => void (result(replays.get(id)), Object.assign(replays.get(id), { state: "cancelled" }))],
    ...ollamaRoutes({ refuse, live, providers }),
  ];
}

/** Models on a disk and in memory; a pull takes eight seconds. */
function ollamaRoutes({ refuse, live, providers }) {
  const GB = 1_000_000_000;
  let installed = [
    ["llama3:latest", 4.66, "llama", "8.0B", "Q4_0", 8192],
    ["qwen3:8b", 5.2, "qwen3", "8.2B", "Q4_K_M", 40960],
    ["nomic-embed-text:latest", 0.27, "nomic-bert", "137M", "F16", 2048],
  ].map(([name, size, family, parameter_size, quantization, context]) => ({ name, size: size * GB, family, parameter_size, quantization, context, capabilities: name.startsWith("nomic") ? ["embedding"] : ["completion", "tools"], loaded: name === "qwen3:8b" ? { size: 6.1 * GB, size_vram: 6.1 * GB, expires_at: new Date(now + 4 * MIN).toISOString(), context: 8192 } : null }));
  const pulls = new Map();
  const told = () => live({ type: "pulls", pulls: [...pulls.values()].map(({ timer: _timer, ...pull }) => pull) });
  const slugOf = (id) => providers().find((one) => one.id === id)?.slug ?? refuse(404, "not_found");
  const named = (name) => installed.find((one) => one.name === name) ?? refuse(404, "not_found");
  return [
    ["GET", /^\/api\/providers\/([^/]+)\/installed$/, ([id]) => (slugOf(id), { models: installed })],
    ["POST", /^\/api\/providers\/([^/]+)\/load$/, async (_, __, body) => {
      await new Promise((done) => setTimeout(done, 1500));
      const model = named(body.model);
      model.loaded = { size: model.size * 1.1, size_vram: model.size * 1.1, expires_at: new Date(Date.now() + 5 * MIN).toISOString(), context: 4096 };
    }],
    ["POST", /^\/api\/providers\/([^/]+)\/unload$/, (_, __, body) => void (named(body.model).loaded = null)],
    ["POST", /^\/api\/providers\/([^/]+)\/uninstall$/, (_, __, body) => void (installed = installed.filter((one) => one.name !== body.model))],
    ["GET", /^\/api\/pulls$/, () => ({ pulls: [...pulls.values()].map(({ timer: _timer, ...pull }) => pull) })],
    ["POST", /^\/api\/providers\/([^/]+)\/pull$/, ([id], _, body) => {
      const provider = slugOf(id);
      const pull = { id: `${provider}/${body.model}`, provider, model: body.model, state: "running", status: "pulling manifest", total: 0, completed: pulls.get(`${provider}/${body.model}`)?.completed ?? 0, failure: null };
      pulls.set(pull.id, pull);
      pull.timer = setInterval(() => {
        Object.assign(pull, { status: "pulling 6a0746a1ec1a", total: 4.7 * GB, completed: Math.min(4.7 * GB, pull.completed + 0.12 * GB) });
        if (pull.completed >= pull.total) {
          clearInterval(pull.timer);
          Object.assign(pull, { state: "done", status: "success" });
          installed = [...installed, { ...installed[0], name: body.model, size: 4.7 * GB, loaded: null }];
        }
        told();
      }, 200);
      return { status: 202, body: { ...pull, timer: undefined } };
    }],
    ["DELETE", /^\/api\/pulls\/([^/]+)$/, ([id]) => {
      const pull = pulls.get(decodeURIComponent(id)) ?? refuse(404, "not_found");
      clearInterval(pull.timer);
      if (pull.state === "running") pull.state = "cancelled";
      else pulls.delete(pull.id);
      told();
    }],
  ];
}
