//! A browser's name and system from its user-agent line, well enough to recognise one's own devices.

const BROWSERS: [RegExp, string][] = [
  [/MicroMessenger/, "WeChat"],
  [/EdgA?\//, "Edge"],
  [/OPR\//, "Opera"],
  [/Firefox\/|FxiOS\//, "Firefox"],
  [/SamsungBrowser\//, "Samsung Internet"],
  [/Chrome\/|CriOS\/|Chromium\//, "Chrome"],
  [/Safari\//, "Safari"],
  [/^curl\//, "curl"],
];
const SYSTEMS: [RegExp, string][] = [
  [/HarmonyOS/, "HarmonyOS"],
  [/Android/, "Android"],
  [/iPhone/, "iPhone"],
  [/iPad/, "iPad"],
  [/Mac OS X|Macintosh/, "macOS"],
  [/Windows/, "Windows"],
  [/CrOS/, "ChromeOS"],
  [/Linux/, "Linux"],
];

export function describeBrowser(line: string | null): { name: string | null; phone: boolean } {
  const of = (table: [RegExp, string][]) => table.find(([pattern]) => pattern.test(line ?? ""))?.[1];
  const parts = [of(BROWSERS), of(SYSTEMS)].filter((part) => part !== undefined);
  return { name: parts.length === 0 ? null : parts.join(" · "), phone: /Mobile|Android|iPhone/.test(line ?? "") };
}
