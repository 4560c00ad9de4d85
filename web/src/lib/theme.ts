//! Light, dark or as the system says. The first paint is public/theme.js's; this keeps it true afterwards.
import { create } from "zustand";
import type { Theme } from "@/api/types";
import { keep, kept } from "@/lib/storage";

const dark = () => window.matchMedia("(prefers-color-scheme: dark)");

function isTheme(value: string | null): value is Theme {
  return value === "system" || value === "light" || value === "dark";
}

function isDark(theme: Theme): boolean {
  return theme === "dark" || (theme === "system" && dark().matches);
}

type ThemeState = { theme: Theme; dark: boolean; setTheme: (theme: Theme) => void };

const stored = kept("portico.theme");
const first: Theme = isTheme(stored) ? stored : "system";

export const useTheme = create<ThemeState>((set) => ({
  theme: first,
  dark: isDark(first),
  setTheme: (theme) => {
    keep("portico.theme", theme);
    set({ theme, dark: isDark(theme) });
  },
}));

export function watchTheme() {
  const paint = (state: ThemeState) => document.documentElement.classList.toggle("dark", state.dark);
  paint(useTheme.getState());
  useTheme.subscribe(paint);
  dark().addEventListener("change", () => useTheme.setState((state) => ({ dark: isDark(state.theme) })));
}
