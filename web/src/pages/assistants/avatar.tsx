//! An assistant's picture: one of the house's own drawings in a colour. Nothing is fetched for it.
import { BookOpen, Bot, BriefcaseBusiness, Calculator, ChartColumn, CodeXml, Gavel, GraduationCap, Headset, Heart, Languages, Lightbulb, type LucideIcon, Mail, NotebookPen, PenLine, ReceiptText, Scale, Search, ShieldCheck, Wrench } from "lucide-react";
import type { CSSProperties } from "react";
import type { Avatar as Picture } from "@/api/assistants";
import { cx } from "@/lib/cx";

/** The names that the portal takes, in its order. */
export const ICONS: Record<string, LucideIcon> = {
  bot: Bot,
  book: BookOpen,
  briefcase: BriefcaseBusiness,
  calculator: Calculator,
  chart: ChartColumn,
  code: CodeXml,
  gavel: Gavel,
  graduation: GraduationCap,
  headset: Headset,
  heart: Heart,
  languages: Languages,
  lightbulb: Lightbulb,
  mail: Mail,
  notebook: NotebookPen,
  pen: PenLine,
  receipt: ReceiptText,
  scale: Scale,
  search: Search,
  shield: ShieldCheck,
  wrench: Wrench,
};

const SIZES = { small: "size-5 rounded-[6px] [&_svg]:size-3", medium: "size-10 rounded-[11px] [&_svg]:size-5", large: "size-16 rounded-[18px] [&_svg]:size-8" };

export function Avatar({ avatar, size = "medium" }: { avatar: Picture; size?: keyof typeof SIZES }) {
  const Icon = ICONS[avatar.icon] ?? Bot;
  return (
    <span aria-hidden="true" style={{ "--hue": String(avatar.hue) } as CSSProperties} className={cx("avatar inline-flex shrink-0 items-center justify-center", SIZES[size])}>
      <Icon />
    </span>
  );
}
