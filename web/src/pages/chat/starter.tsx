//! On the start page while the starter model answers: that it is a small one, what it can do, and where a larger one is had.
import { Link } from "@tanstack/react-router";
import { Sprout } from "lucide-react";
import { useMe } from "@/app/session";
import { loadWords, useT } from "@/lib/i18n";
import { buttonLook } from "@/ui/button";
import { Notice } from "@/ui/page";

const ASKS = ["1", "2", "3", "4"] as const;

/** Its words are needed only here. */
export async function load() {
  await loadWords("starter");
  return { default: Starter };
}

function Starter({ onPick }: { onPick: (text: string) => void }) {
  const t = useT("starter");
  const member = useMe().role === "member";
  return (
    <>
      <Notice
        icon={<Sprout />}
        role="status"
        action={
          member ? undefined : (
            <Link to={"/admin/library" as string} className={buttonLook("secondary", "small")}>
              {t("larger")}
            </Link>
          )
        }
      >
        <p className="font-medium">{t("title")}</p>
        <p className="text-meta text-muted-foreground">{t(member ? "text_member" : "text")}</p>
      </Notice>
      <div className="mt-4 mb-5 flex flex-wrap justify-center gap-2">
        {ASKS.map((at) => (
          <button
            key={at}
            type="button"
            onClick={() => onPick(t(`ask.${at}`))}
            className="touch-target min-h-9 rounded-full border px-4 py-1.5 text-ui text-muted-foreground transition-colors duration-120 hover:bg-hover hover:text-foreground"
          >
            {t(`ask.${at}.title`)}
          </button>
        ))}
      </div>
    </>
  );
}
