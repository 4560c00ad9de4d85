//! What a key may be used for: everything, or the tasks that are ticked. Each is one door of the OpenAI API.
import { type Key, useT } from "@/lib/i18n";
import { KeyChoice } from "@/pages/account/settings/key-choice";

export const TASKS = ["chat", "completion", "embeddings", "rerank", "transcription", "translation", "speech", "image"] as const;

type Props = { /** null: everything. */ value: string[] | null; onChange: (value: string[] | null) => void };

export function KeyTasks(props: Props) {
  const t = useT("account");
  return (
    <KeyChoice legend={t("keys.tasks")} all={t("keys.tasks_all")} some={t("keys.tasks_some")} {...props}>
      {({ chosen, tick }) => (
        <div className="grid gap-x-4 sm:grid-cols-2">
          {TASKS.map((task) => (
            <label key={task} className="flex min-h-9 items-center gap-2.5 text-ui coarse:min-h-11">
              <input type="checkbox" className="size-4 shrink-0 accent-foreground" checked={chosen.includes(task)} onChange={(event) => tick(task, event.target.checked)} />
              {t(taskKey(task))}
            </label>
          ))}
        </div>
      )}
    </KeyChoice>
  );
}

export const taskKey = (task: string) => `task.${task}` as Key<"account">;
