//! What can be fetched by name, measured against the portal's machine, and from where.
import { useMutation } from "@tanstack/react-query";
import { Download } from "lucide-react";
import { useState } from "react";
import type { Offer } from "@/api/types";
import { useT } from "@/lib/i18n";
import { fetchModel, librarySentence, useOffers, useSize } from "@/pages/admin/library/data";
import { Fits } from "@/pages/admin/library/model-row";
import { Button } from "@/ui/button";
import { ConfirmDialog } from "@/ui/dialog";
import { Failed } from "@/ui/failed";
import { Input, Select, Switch } from "@/ui/input";
import { Badge, Card, Section, Skeleton } from "@/ui/page";
import { toast } from "@/ui/toast";

const HUBS = ["huggingface", "modelscope"];

/** `from` is the configuration's choice: a hub, or the address of a mirror. */
export function Catalogue({ free, from }: { free: number | null; from: string }) {
  const t = useT("library");
  const [source, setSource] = useState(HUBS.includes(from) ? from : "mirror");
  const [mirror, setMirror] = useState(HUBS.includes(from) ? "" : from);
  const [fitting, setFitting] = useState(true);
  const { data, isPending, error, refetch } = useOffers();
  const shown = data?.filter((offer) => !fitting || offer.room.fits) ?? [];
  return (
    <Section title={t("catalogue")} description={t("catalogue_text")}>
      <div className="mb-3 flex flex-wrap items-center gap-x-4 gap-y-2">
        <Select aria-label={t("from")} className="w-auto" value={source} onChange={(event) => setSource(event.target.value)}>
          <option value="huggingface">Hugging Face</option>
          <option value="modelscope">ModelScope 魔搭</option>
          <option value="mirror">{t("mirror")}</option>
        </Select>
        {source === "mirror" ? <Input aria-label={t("mirror_url")} placeholder={t("mirror_hint")} type="url" autoComplete="off" spellCheck={false} className="min-w-0 flex-1 basis-56" value={mirror} onChange={(event) => setMirror(event.target.value)} /> : null}
        <span className="flex items-center gap-2 text-ui">
          <Switch checked={fitting} onChange={setFitting} label={t("only_fitting")} />
          <span aria-hidden="true">{t("only_fitting")}</span>
        </span>
      </div>
      {error ? <Failed error={error} again={refetch} /> : null}
      {isPending ? <Skeleton className="h-40" /> : null}
      {data ? (
        <Card>
          {shown.length === 0 ? <p className="px-4 py-6 text-meta text-muted-foreground">{t("none_fits")}</p> : null}
          <ul>
            {shown.map((offer) => (
              <OfferRow key={`${offer.name}:${offer.quant}`} offer={offer} from={source === "mirror" ? mirror.trim() : source} free={free} />
            ))}
          </ul>
        </Card>
      ) : null}
    </Section>
  );
}

function OfferRow({ offer, from, free }: { offer: Offer; from: string; free: number | null }) {
  const t = useT("library");
  const size = useSize();
  const [asking, setAsking] = useState(false);
  const name = `${offer.title} ${offer.quant}`;
  const fetch = useMutation({
    mutationFn: (anyway: boolean) => fetchModel({ model: `${offer.name}:${offer.quant}`, from, anyway }),
    onSuccess: () => setAsking(false),
    onError: (problem) => toast(librarySentence(problem), { tone: "bad" }),
  });
  return (
    <li className="flex flex-wrap items-center gap-x-4 gap-y-2 border-b px-4 py-3 last:border-b-0">
      <div className="min-w-0 flex-1 basis-60">
        <p className="flex flex-wrap items-center gap-x-2.5 gap-y-1">
          <span className="text-ui font-medium">{name}</span>
          <Fits room={offer.room} />
          {offer.recommended ? <Badge tone="brand">{t("recommended")}</Badge> : null}
        </p>
        <p className="tabular text-meta text-muted-foreground">
          {size(offer.bytes)} · {t("tokens", { count: offer.context })} ·{" "}
          <a className="underline underline-offset-2" href={offer.licence_url} target="_blank" rel="noreferrer">
            {offer.licence}
          </a>{" "}
          · {offer.repo}
        </p>
      </div>
      <Button size="small" icon={<Download />} busy={fetch.isPending} disabled={from === ""} aria-label={t("fetch_named", { name })} onClick={() => (offer.room.fits ? fetch.mutate(false) : setAsking(true))}>
        {t("fetch")}
      </Button>
      <ConfirmDialog
        open={asking}
        onClose={() => setAsking(false)}
        onConfirm={() => fetch.mutate(true)}
        busy={fetch.isPending}
        title={t("anyway_title", { name })}
        description={t("anyway_text", { needed: size(offer.room.needed), free: free === null ? "?" : size(free) })}
        confirm={t("anyway")}
      />
    </li>
  );
}
