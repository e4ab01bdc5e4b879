// Light, dark, or as the system has it; remembered in this browser.
import { useState } from "preact/hooks";

const KEY = "lethe.theme";
const NEXT: Record<string, string> = { "": "dark", dark: "light", light: "" };
const WORDS: Record<string, string> = { "": "Colours: as the system", dark: "Colours: dark", light: "Colours: light" };

function stored(): string {
  const found = localStorage.getItem(KEY) ?? "";
  return found in NEXT ? found : "";
}

function apply(theme: string): void {
  if (theme) document.documentElement.dataset.theme = theme;
  else delete document.documentElement.dataset.theme;
}

apply(stored());

export function ThemeButton() {
  const [theme, setTheme] = useState(stored);
  const turn = () => {
    const next = NEXT[theme] ?? "";
    if (next) localStorage.setItem(KEY, next);
    else localStorage.removeItem(KEY);
    apply(next);
    setTheme(next);
  };
  return (
    <button type="button" class="quiet icon" aria-label={WORDS[theme]} title={WORDS[theme]} onClick={turn}>
      <svg viewBox="0 0 24 24" aria-hidden="true">
        <circle cx="12" cy="12" r="8" fill="none" stroke="currentColor" stroke-width="2" />
        <path d={theme === "light" ? "" : "M12 4a8 8 0 0 1 0 16z"} fill="currentColor" />
      </svg>
    </button>
  );
}
