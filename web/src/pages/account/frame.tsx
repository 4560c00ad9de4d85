//! What surrounds the pages of somebody who is not signed in: the mark, one column, language and theme.
import { Languages } from "lucide-react";
import type { ReactNode } from "react";
import { useSession } from "@/app/session";
import { LANGUAGES, setLanguage, useLanguage, useT } from "@/lib/i18n";
import { useTheme } from "@/lib/theme";
import { Logo } from "@/ui/logo";
import { Segmented } from "@/ui/tabs";
import { Monitor, Moon, Sun } from "lucide-react";

export function Frame({ title, text, children }: { title: string; text?: ReactNode; children?: ReactNode }) {
  const brand = useSession((state) => state.portal.brand.name);
  return (
    <div className="scroll-thin flex h-dvh flex-col overflow-y-auto bg-background">
      <main className="flex flex-1 flex-col items-center px-6 pt-[max(48px,12dvh)] pb-10">
        <div className="w-full max-w-[360px]">
          <div className="mb-8 flex flex-col items-center text-center">
            <Logo className="mb-5 size-11" />
            <p className="sr-only">{brand}</p>
            <h1 className="text-[22px] leading-snug font-semibold tracking-[-0.01em] text-balance">{title}</h1>
            {text ? <p className="mt-2 text-ui text-pretty text-muted-foreground">{text}</p> : null}
          </div>
          {children}
        </div>
      </main>
      <LookBar />
    </div>
  );
}

function LookBar() {
  const t = useT("common");
  const language = useLanguage();
  const { theme, setTheme } = useTheme();
  return (
    <footer className="flex flex-wrap items-center justify-center gap-x-4 gap-y-2 px-6 pb-[max(20px,env(safe-area-inset-bottom))]">
      <span className="flex items-center gap-1">
        <Languages className="size-4 text-muted-foreground" aria-hidden="true" />
        {LANGUAGES.map((one) => (
          <button
            key={one.id}
            type="button"
            lang={one.id}
            aria-pressed={one.id === language}
            onClick={() => void setLanguage(one.id)}
            className="touch-target h-8 rounded-control px-2 text-meta text-muted-foreground transition-colors duration-120 hover:text-foreground aria-pressed:font-medium aria-pressed:text-foreground"
          >
            {one.name}
          </button>
        ))}
      </span>
      <Segmented
        label={t("theme")}
        value={theme}
        onChange={setTheme}
        options={[
          { id: "system", label: t("theme.system"), icon: <Monitor /> },
          { id: "light", label: t("theme.light"), icon: <Sun /> },
          { id: "dark", label: t("theme.dark"), icon: <Moon /> },
        ]}
      />
    </footer>
  );
}
