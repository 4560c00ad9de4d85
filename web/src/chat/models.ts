//! The models on offer and the state each is in, kept live by the WebSocket.
import { useQuery } from "@tanstack/react-query";
import { api } from "@/api/client";
import type { Model, ModelList, ModelState } from "@/api/types";
import { keys, queries } from "@/app/queries";
import { useSession } from "@/app/session";
import { translate } from "@/lib/i18n";
import { keep, kept } from "@/lib/storage";
import { create } from "zustand";

export function useModels() {
  return useQuery({ queryKey: keys.models, queryFn: ({ signal }) => api.get<ModelList>("/api/models", undefined, signal), staleTime: 60_000 });
}

export function modelsChanged(models: Model[]) {
  queries.setQueryData<ModelList>(keys.models, (list) => ({ models, default: list?.default ?? forChat(models)[0]?.id ?? null }));
  // The default may have moved with the list; only the portal knows it.
  const list = queries.getQueryData<ModelList>(keys.models);
  if (list?.default && !models.some((model) => model.id === list.default)) void queries.invalidateQueries({ queryKey: keys.models });
}

/** Those that answer questions; embedders, rerankers and voices are for programs. */
export function forChat(models: Model[] | undefined): Model[] {
  return (models ?? []).filter((model) => model.answers);
}

/** The model chosen for the next new conversation, in this browser. */
const useChosen = create<{ model: string | null }>(() => ({ model: kept("portico.model") }));

export function chooseModel(model: string) {
  keep("portico.model", model);
  useChosen.setState({ model });
}

/** The model a question would go to: the conversation's, else the last chosen, the person's default, the portal's. */
export function useCurrentModel(conversationModel: string | null | undefined): Model | null {
  const { data } = useModels();
  const chosen = useChosen((state) => state.model);
  const preferred = useSession((state) => state.me?.settings.default_model);
  const models = forChat(data?.models);
  const wanted = [conversationModel, chosen, preferred, data?.default];
  for (const id of wanted) {
    const found = models.find((model) => model.id === id);
    if (found) return found;
  }
  return models.find((model) => model.state.state !== "failed") ?? models[0] ?? null;
}

export function useModelName(id: string | null): string | null {
  const { data } = useModels();
  if (id === null) return null;
  return data?.models.find((model) => model.id === id)?.name ?? id.slice(id.indexOf("/") + 1);
}

/** The state in words: "Loading 42 %". */
export function stateWords(state: ModelState): string {
  if (state.state === "loading" && state.percent !== null) return translate("common", "model.loading_percent", { percent: state.percent });
  return translate("common", `model.${state.state}`);
}
