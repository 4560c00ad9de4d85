//! Known engines and vendors, as data from the portal: choosing one fills the form in.
import type { Preset } from "@/api/types";
import { useLanguage, useT } from "@/lib/i18n";
import { usePresets } from "@/pages/admin/data";
import { Skeleton } from "@/ui/page";

export function Presets({ chosen, onChoose }: { chosen: string | null; onChoose: (preset: Preset) => void }) {
  const t = useT("admin");
  const chinese = useLanguage() === "zh-CN";
  const { data, isPending } = usePresets();
  if (isPending) return <Skeleton className="h-24" />;
  // Without presets the form is still whole.
  const presets = data?.presets ?? [];
  if (presets.length === 0) return null;
  const open = presets.find((preset) => preset.slug === chosen);
  const groups = [
    { label: t("presets.own"), members: presets.filter((preset) => preset.local) },
    { label: t("presets.cloud"), members: presets.filter((preset) => !preset.local) },
  ];
  return (
    <div className="flex flex-col gap-3">
      {groups.map((group) =>
        group.members.length === 0 ? null : (
          <div key={group.label} role="group" aria-label={group.label}>
            <p className="mb-1.5 text-meta text-muted-foreground">{group.label}</p>
            <div className="flex flex-wrap gap-1.5">
              {group.members.map((preset) => (
                <button
                  key={preset.slug}
                  type="button"
                  aria-pressed={preset.slug === chosen}
                  onClick={() => onChoose(chinese ? { ...preset, name: preset.name_zh } : preset)}
                  className="touch-target h-8 rounded-full border px-3 text-meta transition-colors duration-120 hover:bg-hover aria-pressed:border-foreground aria-pressed:bg-selected aria-pressed:font-medium"
                >
                  {chinese ? preset.name_zh : preset.name}
                </button>
              ))}
            </div>
          </div>
        ),
      )}
      {open ? <p className="text-meta text-muted-foreground">{withCode(chinese ? open.hint_zh : open.hint)}</p> : null}
    </div>
  );
}

/** Hints mark commands by backticks. */
function withCode(text: string) {
  return text.split("`").map((part, at) => (at % 2 === 0 ? part : <code key={part} className="rounded-[5px] bg-muted px-1 py-0.5 font-mono text-[12px]">{part}</code>));
}
