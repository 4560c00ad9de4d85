//! The catalogue: found by words, kind, ability and memory; sizes and prices open to all of their figures.
import { QueryClientProvider } from "@tanstack/react-query";
import { cleanup, fireEvent, render, screen, within } from "@testing-library/react";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Family, FamilyModel } from "@/api/types";
import { queries } from "@/app/queries";
import { type Wanted, found, sizesOf } from "@/pages/admin/catalogue/data";
import { CataloguePage } from "@/pages/admin/catalogue/page";

const model = (name: string, part: Partial<FamilyModel> = {}): FamilyModel => ({ name, licence: null, parameters: null, active: null, context: 131_072, max_output: null, input: ["text"], output: ["text"], capabilities: [], kv_bytes_per_token: null, price: null, sizes: {}, ...part });
const family = (name: string, models: FamilyModel[], part: Partial<Family> = {}): Family => ({ slug: name.toLowerCase(), name, name_zh: name, maker: "Maker", licence: "Apache-2.0", licence_url: "https://example.org/licence", source: "x", models, ...part });
const QWEN = model("Qwen 3 8B", { capabilities: ["tools", "reasoning"], parameters: 8_190_735_360, kv_bytes_per_token: 147_456, sizes: { BF16: 16_381_470_720, Q4_K_M: 5_027_783_488 } });
const GPT = model("GPT-9", { input: ["text", "image"], capabilities: ["tools", "vision"], price: { input: 2_500_000, output: 10_000_000, cached: 1_250_000, currency: "USD", source: "https://example.org/prices", date: "2025-10-01" } });
const FAMILIES = [family("Qwen", [QWEN], { name_zh: "通义千问", maker: "Alibaba Cloud" }), family("GPT", [GPT], { licence: "proprietary", maker: "OpenAI" })];
const ALL: Wanted = { text: "", kind: "all", can: "", memory: null };

beforeEach(() => {
  queries.clear();
  vi.stubGlobal("fetch", async () => new Response(JSON.stringify({ families: FAMILIES }), { headers: { "content-type": "application/json" } }));
});
afterEach(() => {
  cleanup();
  vi.unstubAllGlobals();
});

test.each<[string, Partial<Wanted>, string[]]>([
  ["everything", {}, ["Qwen 3 8B", "GPT-9"]],
  ["a maker", { text: "alibaba" }, ["Qwen 3 8B"]],
  ["a Chinese name", { text: "千问" }, ["Qwen 3 8B"]],
  ["every word counts", { text: "qwen openai" }, []],
  ["open weights", { kind: "open" }, ["Qwen 3 8B"]],
  ["with a price", { kind: "hosted" }, ["GPT-9"]],
  ["something it takes", { can: "image" }, ["GPT-9"]],
  ["something it can do", { can: "reasoning" }, ["Qwen 3 8B"]],
  ["enough memory for one quantisation", { memory: 8e9 }, ["Qwen 3 8B"]],
  ["too little memory", { memory: 4e9 }, []],
])("finds %s", (_, wanted, names) => {
  expect(found(FAMILIES, { ...ALL, ...wanted }).flatMap((one) => one.models.map((each) => each.name))).toEqual(names);
});

test("the smallest size stands first", () => {
  expect(sizesOf(QWEN).map((size) => size.name)).toEqual(["Q4_K_M", "BF16"]);
});

test("narrowed, emptied, and shown again; figures behind size and price", async () => {
  render(<QueryClientProvider client={queries}>{<CataloguePage />}</QueryClientProvider>);
  await screen.findByText("2 models");
  expect(screen.getByRole("row", { name: /Qwen 3 8B/ }).textContent).toContain("8.2B parameters128K");
  fireEvent.click(screen.getByRole("button", { name: /^Size of its weights: Qwen 3 8B/ }));
  const sizes = await screen.findByRole("dialog");
  expect(within(sizes).getAllByRole("listitem").map((item) => item.textContent)).toEqual(["Q4_K_M5 GB", "BF1616 GB"]);
  expect(sizes.textContent).toContain("147 MB more for every 1,000 tokens");
  fireEvent.keyDown(sizes, { key: "Escape" });
  fireEvent.click(screen.getByRole("button", { name: /^List price per million tokens: GPT-9/ }));
  expect((await screen.findByRole("dialog")).textContent).toContain("Read from the cache$1.25");
  fireEvent.change(screen.getByLabelText("Name, maker or licence"), { target: { value: "nothing like it" } });
  await screen.findByText("No model is like that");
  fireEvent.click(screen.getByRole("button", { name: "Show all" }));
  await screen.findByText("2 models");
});
