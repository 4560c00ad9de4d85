//! The keyboard map: every shortcut there is, in one dialog.
import { ui } from "@/app/ui";
import { type Key, useT } from "@/lib/i18n";
import { shown } from "@/lib/keyboard";
import { Dialog } from "@/ui/dialog";

const MAP: { title: Key<"chat">; keys: [Key<"chat">, string][] }[] = [
  {
    title: "keys.everywhere",
    keys: [
      ["keys.search", "mod+k"],
      ["keys.new", "mod+shift+o"],
      ["keys.rail", "mod+shift+s"],
      ["keys.parameters", "mod+."],
      ["keys.map", "mod+/"],
    ],
  },
  {
    title: "keys.conversation",
    keys: [
      ["keys.send", "enter"],
      ["keys.line", "shift+enter"],
      ["keys.stop", "esc"],
      ["keys.focus", "shift+esc"],
      ["keys.copy_last", "mod+shift+c"],
    ],
  },
];

export default function Shortcuts() {
  const t = useT("chat");
  return (
    <Dialog open onClose={() => ui.setShortcuts(false)} title={t("keys.title")}>
      <div className="grid gap-6">
        {MAP.map((group) => (
          <section key={group.title}>
            <h3 className="mb-1 text-meta text-muted-foreground">{t(group.title)}</h3>
            <dl>
              {group.keys.map(([label, keys]) => (
                <div key={label} className="flex min-h-10 items-center justify-between gap-4 border-b last:border-b-0">
                  <dt>{t(label)}</dt>
                  <dd>
                    <kbd className="rounded-[6px] border bg-muted px-2 py-0.5 font-sans text-meta">{shown(keys)}</kbd>
                  </dd>
                </div>
              ))}
            </dl>
          </section>
        ))}
      </div>
    </Dialog>
  );
}
