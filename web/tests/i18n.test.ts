//! Both languages say the same things: equal keys, equal placeholders, and every error code has its sentence.
import { describe, expect, test } from "vitest";

const files = import.meta.glob<Record<string, string>>("../src/locales/*/*.json", { import: "default", eager: true });
const namespaces = ["common", "chat", "account", "admin", "assistants", "engines", "files", "library", "plugins", "starter", "steps", "tuning"];

function words(language: string, namespace: string): Record<string, string> {
  return files[`../src/locales/${language}/${namespace}.json`] ?? {};
}

/** Languages count differently: `x_one` and `x_other` are one idea. */
function ideas(table: Record<string, string>): string[] {
  return [...new Set(Object.keys(table).map((key) => key.replace(/_(one|other)$/, "")))].sort();
}

function placeholders(text: string): string[] {
  return [...text.matchAll(/\{\{(\w+)\}\}/g)].map((match) => match[1] ?? "").sort();
}

describe.each(namespaces)("%s", (namespace) => {
  test("has the same keys in Chinese and English", () => {
    expect(ideas(words("zh-CN", namespace))).toEqual(ideas(words("en", namespace)));
  });

  test("fills the same placeholders", () => {
    const english = words("en", namespace);
    for (const [key, text] of Object.entries(words("zh-CN", namespace))) {
      expect([key, placeholders(text)]).toEqual([key, placeholders(english[key] ?? "")]);
    }
  });

  test("leaves nothing empty, and no English in the Chinese by oversight", () => {
    const english = words("en", namespace);
    for (const [key, text] of Object.entries(words("zh-CN", namespace))) {
      expect(text, key).not.toBe("");
      if (text === english[key]) expect(text, key).toMatch(/^(Portico|Top-p|[A-Z]{2,}|\W*\{\{.*\}\}\W*)/);
    }
  });
});

const CODES =
  "unauthenticated forbidden not_found invalid_request body_too_large turn_running over_daily_limit throttled wrong_credentials name_taken link_spent storage_full storage_failed conflict cross_origin model_not_found no_model draining internal unreachable model_loading timed_out upstream_over_limit upstream_refused request_rejected context_length_exceeded upstream_failed cut garbled egress_forbidden interrupted model_failed model_busy".split(
    " ",
  );

test("every error code of the contract has a sentence of its own", () => {
  const sentences = CODES.map((code) => words("zh-CN", "common")[`problem.${code}`]);
  expect(sentences).not.toContain(undefined);
  expect(new Set(sentences).size).toBe(CODES.length);
});
