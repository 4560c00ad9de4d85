//! The models of the chat: who answers questions is offered, who makes vectors or ranks is not.
import { expect, test } from "vitest";
import type { Model } from "@/api/types";
import { forChat } from "@/chat/models";

const model = (id: string, answers: boolean): Model => ({ id, name: id, provider: "p", provider_name: "P", local: false, starter: false, context: null, chat_template: null, answers, enabled: true, state: { state: "ready" }, alias: false, targets: [], modalities: [] });

test("embedders and rerankers are not for the chat", () => {
  const models = [model("p/bge-m3", false), model("p/llama3", true), model("p/rerank", false)];
  expect(forChat(models).map((one) => one.id)).toEqual(["p/llama3"]);
  expect(forChat(undefined)).toEqual([]);
});
