//! One family: who made it, under which licence, and its models.
import { AudioLines, Image, Type, Video } from "lucide-react";
import type { ReactNode } from "react";
import type { Family, FamilyModel } from "@/api/types";
import { currentLanguage, useLanguage, useT } from "@/lib/i18n";
import { Anchor } from "@/markdown/link";
import { canKey, sizesOf } from "@/pages/admin/catalogue/data";
import { Popover } from "@/ui/popover";
import { Section } from "@/ui/page";
import { TableFrame } from "@/ui/table-frame";

const TAKES: Record<string, ReactNode> = { text: <Type />, image: <Image />, audio: <AudioLines />, video: <Video /> };

export function FamilyTable({ family }: { family: Family }) {
  const t = useT("engines");
  const language = useLanguage();
  const name = language === "zh-CN" ? family.name_zh : family.name;
  return (
    <Section
      title={name}
      description={
        <>
          {family.maker} · <Away href={family.licence_url}>{licence(family.licence, t("catalogue.proprietary"))}</Away>
        </>
      }
    >
      <TableFrame label={name}>
        <table className="w-full border-separate border-spacing-0 text-ui [&_tr:not(:last-child)>*]:border-b [&_thead_tr>*]:border-b">
          <thead>
            <tr className="bg-surface text-meta text-muted-foreground">
              <th scope="col" className="sticky left-0 z-1 bg-surface px-4 py-2 text-left font-medium">
                {t("catalogue.model")}
              </th>
              {(["context", "takes", "does", "sizes", "price"] as const).map((column) => (
                <th key={column} scope="col" className="px-4 py-2 text-left font-medium whitespace-nowrap">
                  {t(`catalogue.${column}`)}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {family.models.map((model) => (
              <Row key={model.name} model={model} />
            ))}
          </tbody>
        </table>
      </TableFrame>
    </Section>
  );
}

function Row({ model }: { model: FamilyModel }) {
  const t = useT("engines");
  return (
    <tr>
      <th scope="row" className="sticky left-0 z-1 min-w-48 bg-background px-4 py-2 text-left font-normal max-sm:max-w-36 max-sm:min-w-32">
        <span className="block">{model.name}</span>
        <span className="tabular block text-[12px] text-muted-foreground">{[weights(model, t), model.licence ? licence(model.licence, t("catalogue.proprietary")) : null].filter(Boolean).join(" · ")}</span>
      </th>
      <td className="tabular px-4 py-2 whitespace-nowrap">{contextOf(model.context)}</td>
      <td className="px-4 py-2">
        <ul className="flex gap-2 text-muted-foreground [&_svg]:size-4">
          {model.input.map((kind) => (
            <li key={kind} data-tip={t(canKey(kind))}>
              <span aria-hidden="true">{TAKES[kind]}</span>
              <span className="sr-only">{t(canKey(kind))}</span>
            </li>
          ))}
        </ul>
      </td>
      <td className="min-w-40 px-4 py-2 text-meta text-muted-foreground">{model.capabilities.map((can) => t(canKey(can))).join(", ")}</td>
      <td className="px-4 py-1.5">
        <Sizes model={model} />
      </td>
      <td className="px-4 py-1.5">
        <Price model={model} />
      </td>
    </tr>
  );
}

const OPENS = "tabular inline-flex h-8 items-center rounded-control px-2 -ml-2 whitespace-nowrap underline decoration-dotted underline-offset-4 transition-colors duration-120 hover:bg-hover aria-expanded:bg-hover coarse:h-11";

function Sizes({ model }: { model: FamilyModel }) {
  const t = useT("engines");
  const sizes = sizesOf(model);
  const [least, most] = [sizes[0], sizes.at(-1)];
  if (!least || !most) return null;
  const label = `${t("catalogue.sizes")}: ${model.name}`;
  return (
    <Popover
      label={label}
      trigger={
        <button type="button" className={OPENS}>
          <span className="sr-only">{label}, </span>
          {least === most ? gigabytes(least.bytes) : `${gigabytes(least.bytes)} – ${gigabytes(most.bytes)}`}
        </button>
      }
    >
      <p className="mb-2.5 font-medium">{model.name}</p>
      <ul className="flex flex-col gap-2">
        {sizes.map((size) => (
          <li key={size.name}>
            <p className="tabular flex justify-between gap-4 text-meta">
              <span className="font-mono">{size.name}</span>
              {gigabytes(size.bytes)}
            </p>
            <div aria-hidden="true" className="mt-1 h-1.5 rounded-full bg-muted">
              <div className="h-full rounded-full bg-foreground" style={{ width: `${(size.bytes / most.bytes) * 100}%` }} />
            </div>
          </li>
        ))}
      </ul>
      {model.kv_bytes_per_token === null ? null : <p className="tabular mt-3 text-meta text-muted-foreground">{t("catalogue.kv", { size: gigabytes(model.kv_bytes_per_token * 1_000), kilobytes: Math.round(model.kv_bytes_per_token / 1_000) })}</p>}
    </Popover>
  );
}

function Price({ model }: { model: FamilyModel }) {
  const t = useT("engines");
  if (!model.price) return null;
  const { input, output, cached, currency, date, source } = model.price;
  const money = (millionths: number) => new Intl.NumberFormat(currentLanguage(), { style: "currency", currency, minimumFractionDigits: 2, maximumFractionDigits: 4 }).format(millionths / 1e6);
  const label = `${t("catalogue.price")}: ${model.name}`;
  const lines = [
    { name: t("catalogue.price_input"), value: input },
    ...(cached === null ? [] : [{ name: t("catalogue.price_cached"), value: cached }]),
    { name: t("catalogue.price_output"), value: output },
  ];
  return (
    <Popover
      label={label}
      trigger={
        <button type="button" className={OPENS}>
          <span className="sr-only">{label}, </span>
          {money(input)} / {money(output)}
        </button>
      }
    >
      <p className="font-medium">{model.name}</p>
      <p className="mb-2.5 text-meta text-muted-foreground">{t("catalogue.price")}</p>
      <dl className="flex flex-col gap-1.5">
        {lines.map((line) => (
          <div key={line.name} className="tabular flex justify-between gap-4">
            <dt className="text-muted-foreground">{line.name}</dt>
            <dd>{money(line.value)}</dd>
          </div>
        ))}
      </dl>
      <p className="tabular mt-3 text-meta text-muted-foreground">
        <Away href={source}>{t("catalogue.price_date", { date })}</Away>
      </p>
    </Popover>
  );
}

/** A link that asks before it leaves. */
function Away({ href, children }: { href: string; children: ReactNode }) {
  return (
    <span className="[&_a]:underline [&_a]:underline-offset-4">
      <Anchor href={href}>{children}</Anchor>
    </span>
  );
}

const licence = (text: string, proprietary: string) => (text === "proprietary" ? proprietary : text);
/** 128K, 8.2B: as the models' own names have it, in Chinese too. */
const compact = (value: number) => new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(value);

/** 131,072 is called 128K, and 200,000 is called 200K. */
function contextOf(tokens: number): string {
  if (tokens % 1024 !== 0) return compact(tokens);
  return tokens % 1_048_576 === 0 ? `${tokens / 1_048_576}M` : `${tokens / 1024}K`;
}

function gigabytes(bytes: number): string {
  const number = (value: number, unit: string) => new Intl.NumberFormat(currentLanguage(), { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
  return bytes < 1e9 ? number(bytes / 1e6, "megabyte") : number(bytes / 1e9, "gigabyte");
}

function weights(model: FamilyModel, t: ReturnType<typeof useT<"engines">>): string | null {
  if (model.parameters === null) return null;
  const all = compact(model.parameters);
  return model.active === null ? t("catalogue.weights", { all }) : t("catalogue.weights_active", { all, active: compact(model.active) });
}
