//! What a key may be used for: everything, or the tasks that are ticked. Each is one door of the OpenAI API.
import { useId } from "react";
import { type Key, useT } from "@/lib/i18n";

export const TASKS = ["chat", "completion", "embeddings", "rerank", "transcription", "translation", "speech", "image"] as const;

type Props = { /** null: everything. */ value: string[] | null; onChange: (value: string[] | null) => void };

export function KeyTasks({ value, onChange }: Props) {
  const t = useT("account");
  const group = useId();
  const chosen = value ?? [];
  const tick = (task: string, on: boolean) => onChange(on ? [...chosen, task] : chosen.filter((one) => one !== task));
  return (
    <fieldset className="flex min-w-0 flex-col gap-2">
      <legend className="mb-1.5 text-ui font-medium">{t("keys.tasks")}</legend>
      <label className="flex min-h-6 items-center gap-2.5 text-ui coarse:min-h-11">
        <input type="radio" name={group} className="size-4 accent-foreground" checked={value === null} onChange={() => onChange(null)} />
        {t("keys.tasks_all")}
      </label>
      <label className="flex min-h-6 items-center gap-2.5 text-ui coarse:min-h-11">
        <input type="radio" name={group} className="size-4 accent-foreground" checked={value !== null} onChange={() => onChange(chosen)} />
        {t("keys.tasks_some")}
      </label>
      {value === null ? null : (
        <div className="ml-6 flex flex-col gap-2">
          <div className="grid gap-x-4 sm:grid-cols-2">
            {TASKS.map((task) => (
              <label key={task} className="flex min-h-9 items-center gap-2.5 text-ui coarse:min-h-11">
                <input type="checkbox" className="size-4 shrink-0 accent-foreground" checked={chosen.includes(task)} onChange={(event) => tick(task, event.target.checked)} />
                {t(taskKey(task))}
              </label>
            ))}
          </div>
          {chosen.length === 0 ? (
            <p role="alert" className="text-meta text-bad">
              {t("keys.models_none")}
            </p>
          ) : null}
        </div>
      )}
    </fieldset>
  );
}

export const taskKey = (task: string) => `task.${task}` as Key<"account">;
