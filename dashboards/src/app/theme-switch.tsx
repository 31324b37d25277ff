import { type ReactNode, useId } from "react";
import { MoonIcon, ScreenIcon, SunIcon } from "@/components/icons";
import { setTheme, THEMES, type Theme, useTheme } from "@/lib/theme";

const LOOKS: Record<Theme, { name: string; icon: () => ReactNode }> = {
  system: { name: "As the system", icon: ScreenIcon },
  light: { name: "Light", icon: SunIcon },
  dark: { name: "Dark", icon: MoonIcon },
};

export function ThemeSwitch() {
  const theme = useTheme();
  const group = useId();
  return (
    <fieldset className="inline-flex gap-0.5">
      <legend className="sr-only">Theme</legend>
      {THEMES.map((value) => {
        const { name, icon: Icon } = LOOKS[value];
        return (
          <label
            key={value}
            title={name}
            className="icon-button relative has-checked:bg-accent-soft has-checked:text-accent has-focus-visible:outline-2 has-focus-visible:outline-accent"
          >
            <input
              type="radio"
              name={group}
              aria-label={name}
              className="absolute inset-0 cursor-pointer appearance-none outline-none"
              checked={value === theme}
              onChange={() => setTheme(value)}
            />
            <Icon />
          </label>
        );
      })}
    </fieldset>
  );
}
