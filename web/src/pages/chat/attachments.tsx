//! The files that go with the question being written: a chip for each, on its way, there, or refused with a sentence.
import { FileText, RotateCw, X } from "lucide-react";
import { useEffect, useEffectEvent, useRef, useState } from "react";
import { type Uploaded, isPicture } from "@/api/files";
import { type Progress, discard, upload } from "@/chat/uploads";
import { cx } from "@/lib/cx";
import { loadWords, useLanguage, useT } from "@/lib/i18n";
import { sentence } from "@/lib/problem";
import { fileSentence, sizeText } from "@/pages/chat/file-words";
import { IconButton } from "@/ui/button";
import { announce } from "@/ui/toast";

export type Attached = { ids: string[]; busy: boolean };

type Chip = { key: number; file: File; progress: Progress | null; done: Uploaded | null; problem: string | null };
type Sending = { stop: AbortController; id: string | undefined };
type Props = {
  /** Every pick, paste and drop, the latest last. */
  given: File[][];
  onChange: (attached: Attached) => void;
};

/** As many as the portal takes with one question. */
const MOST = 10;
const words = loadWords("files");

export default function Attachments({ given, onChange }: Props) {
  const t = useT("files");
  const [chips, setChips] = useState<Chip[]>([]);
  const [tooMany, setTooMany] = useState(false);
  const sending = useRef(new Map<number, Sending>());
  const seen = useRef(0);
  const next = useRef(0);

  const change = (key: number, what: Partial<Chip>) => setChips((all) => all.map((chip) => (chip.key === key ? { ...chip, ...what } : chip)));

  const start = async (key: number, file: File, known?: string) => {
    const own: Sending = { stop: new AbortController(), id: known };
    sending.current.set(key, own);
    change(key, { progress: { state: "sending", share: 0 }, problem: null });
    try {
      await words;
      const done = await upload(file, { signal: own.stop.signal, known, onId: (id) => (own.id = id), onProgress: (progress) => change(key, { progress }) });
      change(key, { done, progress: null });
      announce(t("attached", { name: done.name }));
    } catch (problem) {
      if (own.stop.signal.aborted) return;
      change(key, { progress: null, problem: fileSentence(problem, file.name) ?? sentence(problem) });
    }
  };

  const take = useEffectEvent(() => {
    const fresh = given.slice(seen.current).flat();
    seen.current = given.length;
    const room = MOST - chips.length;
    setTooMany(fresh.length > room);
    const added = fresh.slice(0, Math.max(0, room)).map((file): Chip => ({ key: (next.current += 1), file, progress: { state: "sending", share: 0 }, done: null, problem: null }));
    setChips((all) => [...all, ...added]);
    for (const { key, file } of added) void start(key, file);
  });
  useEffect(() => take(), [given.length]);

  const told = useEffectEvent(() => onChange({ ids: chips.flatMap(({ done }) => (done ? [done.id] : [])), busy: chips.some(({ progress }) => progress !== null) }));
  useEffect(() => told(), [chips]);
  // Whoever leaves before sending stops what is on its way. In development effects run twice, and nothing was left then.
  const here = useRef(true);
  useEffect(() => {
    const all = sending.current;
    here.current = true;
    return () => {
      here.current = false;
      setTimeout(() => {
        if (!here.current) for (const { stop } of all.values()) stop.abort();
      });
    };
  }, []);

  const remove = (chip: Chip) => {
    const own = sending.current.get(chip.key);
    own?.stop.abort();
    sending.current.delete(chip.key);
    if (own?.id) discard(own.id);
    setTooMany(false);
    setChips((all) => all.filter(({ key }) => key !== chip.key));
  };

  if (chips.length === 0 && !tooMany) return null;
  return (
    <div className="px-3 pt-3">
      <ul aria-label={t("label")} className="flex flex-wrap gap-2">
        {chips.map((chip) => (
          <ChipView key={chip.key} chip={chip} onRemove={() => remove(chip)} onRetry={() => void start(chip.key, chip.file, sending.current.get(chip.key)?.id)} />
        ))}
      </ul>
      {tooMany ? (
        <p role="alert" className="pt-2 text-meta text-bad">
          {t("too_many", { count: MOST })}
        </p>
      ) : null}
    </div>
  );
}

function ChipView({ chip, onRemove, onRetry }: { chip: Chip; onRemove: () => void; onRetry: () => void }) {
  const t = useT("files");
  const language = useLanguage();
  const { file, progress, done, problem } = chip;
  const [picture] = useState(() => (isPicture({ media_type: file.type }) ? URL.createObjectURL(file) : null));
  const percent = progress ? Math.round(progress.share * 100) : 100;
  const said = problem ?? (progress ? (progress.state === "sending" ? t("sending", { percent }) : t(progress.state)) : sizeText(done?.bytes ?? file.size, language));
  return (
    <li className={cx("relative flex max-w-full min-w-0 items-center gap-2.5 overflow-hidden rounded-[12px] border bg-surface py-1.5 pr-1 pl-2", problem ? "w-full border-bad/50 bg-bad-soft" : "w-60 max-sm:w-full")}>
      {picture ? <img src={picture} alt="" onLoad={() => URL.revokeObjectURL(picture)} className="size-9 shrink-0 rounded-[7px] object-cover" /> : <FileText className="m-1.5 size-6 shrink-0 text-muted-foreground" aria-hidden="true" />}
      <span className="min-w-0 flex-1">
        <span className="block truncate text-ui" title={file.name}>
          {file.name}
        </span>
        <span role={problem ? "alert" : undefined} className={cx("tabular block text-meta", problem ? "break-words text-bad" : "truncate text-muted-foreground")}>
          {said}
        </span>
      </span>
      {problem ? (
        <IconButton label={t("retry", { name: file.name })} size="small" onClick={onRetry}>
          <RotateCw />
        </IconButton>
      ) : null}
      <IconButton label={t(progress ? "cancel" : "remove", { name: file.name })} size="small" onClick={onRemove}>
        <X />
      </IconButton>
      {progress ? (
        <span role="progressbar" aria-label={t("progress", { name: file.name })} aria-valuenow={percent} aria-valuemin={0} aria-valuemax={100} className="absolute inset-x-0 bottom-0 h-0.5 bg-border">
          <span className="block h-full bg-accent transition-[width] duration-120" style={{ width: `${percent}%` }} />
        </span>
      ) : null}
    </li>
  );
}
