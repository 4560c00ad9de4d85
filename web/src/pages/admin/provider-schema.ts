//! What a provider's form holds, and the body it becomes. The portal tidies the address itself (with or without /v1).
import { z } from "zod";
import type { Provider, ProviderModel, ProviderTest } from "@/api/types";
import type { Key } from "@/lib/i18n";

const says = (key: Key<"admin">) => key;

function isHttp(text: string): boolean {
  try {
    return /^https?:$/.test(new URL(text).protocol);
  } catch {
    return false;
  }
}

export const providerSchema = z.object({
  kind: z.string(),
  name: z.string().trim().min(1, says("provider.name_empty")).max(100, says("provider.name_long")),
  base_url: z.string().trim().min(1, says("provider.url_empty")).refine(isHttp, says("provider.url_wrong")),
  api_key: z.string().trim(),
  forget_key: z.boolean(),
});
export type ProviderFields = z.infer<typeof providerSchema>;

export function fieldsOf(provider: Provider | null): ProviderFields {
  return { kind: provider?.kind ?? "openai", name: provider?.name ?? "", base_url: provider?.base_url ?? "", api_key: "", forget_key: false };
}

/** All it lists, also what it will list tomorrow; or only those named. */
export type Offer = "all" | string[];

export function offerOf(provider: Provider | null): Offer {
  if (!provider || provider.discover) return "all";
  return provider.models.filter((model) => model.enabled).map((model) => model.name);
}

/** Whatever could be offered: what the address lists now, and what was named before. */
export function candidates(provider: Provider | null, test: ProviderTest | null): string[] {
  const found = test?.ok ? test.models.map((model) => model.name) : [];
  return [...new Set([...found, ...(provider?.models ?? []).map((model) => model.name)])];
}

export function bodyOf(fields: ProviderFields, offer: Offer, provider: Provider | null) {
  const named = new Map<string, ProviderModel>((provider?.models ?? []).map((model) => [model.name, model]));
  const models = offer === "all" ? [] : offer.map((name) => ({ name, ...(named.get(name)?.display_name ? { display_name: named.get(name)?.display_name } : {}), enabled: true }));
  const key = fields.api_key !== "" ? { api_key: fields.api_key } : fields.forget_key ? { api_key: "" } : {};
  return { kind: fields.kind, name: fields.name, base_url: fields.base_url, ...key, ...(provider === null && offer === "all" ? {} : { models }) };
}
