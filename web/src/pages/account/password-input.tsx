//! A password field that can be shown, and one for a new password with a hint on how good it is.
import { Eye, EyeOff } from "lucide-react";
import { type ComponentProps, useState } from "react";
import { STRENGTHS, type Strength, strengthOf } from "@/pages/account/strength";
import { cx } from "@/lib/cx";
import { useT } from "@/lib/i18n";
import { IconButton } from "@/ui/button";
import { Input } from "@/ui/input";

export function PasswordInput(props: Omit<ComponentProps<typeof Input>, "type">) {
  const t = useT("account");
  const [shown, setShown] = useState(false);
  return (
    <span className="relative block">
      <Input {...props} type={shown ? "text" : "password"} autoCapitalize="none" autoCorrect="off" spellCheck={false} className="pr-11" />
      <IconButton label={t(shown ? "password.hide" : "password.show")} size="small" className="absolute top-1/2 right-1.5 -translate-y-1/2" onClick={() => setShown(!shown)}>
        {shown ? <EyeOff /> : <Eye />}
      </IconButton>
    </span>
  );
}

const TONES: Record<Strength, string> = { short: "bg-border-strong", weak: "bg-bad", fair: "bg-warn", strong: "bg-good" };

/** `known`: the person's own names, worth nothing inside a password. */
export function StrengthHint({ password, known }: { password: string; known: string[] }) {
  const t = useT("account");
  const strength = password === "" ? null : strengthOf(password, ...known);
  const reached = strength === null ? 0 : STRENGTHS.indexOf(strength);
  return (
    <span className="flex items-center gap-2.5">
      <span aria-hidden="true" className="flex w-16 shrink-0 gap-1">
        {[1, 2, 3].map((step) => (
          <span key={step} className={cx("h-1 flex-1 rounded-full", strength && reached >= step ? TONES[strength] : "bg-border")} />
        ))}
      </span>
      <span>{t(strength === null ? "strength.hint" : `strength.${strength}`)}</span>
    </span>
  );
}
