import { type ReactNode, useEffect, useId, useLayoutEffect, useRef, useState } from "react";

const MARGIN_PX = 12;

/**
 * A button that opens a small surface below itself. Closes on Escape, on a click outside and when focus leaves; Escape
 * and `close()` give the focus back to the button.
 */
export function Popover({
  label,
  trigger,
  triggerClassName = "control",
  className = "",
  children,
}: {
  label: string;
  trigger: ReactNode;
  triggerClassName?: string;
  className?: string;
  children: (close: () => void) => ReactNode;
}) {
  const [isOpen, setOpen] = useState(false);
  const root = useRef<HTMLDivElement>(null);
  const button = useRef<HTMLButtonElement>(null);
  const surface = useRef<HTMLDivElement>(null);
  const id = useId();

  const close = () => {
    setOpen(false);
    button.current?.focus();
  };

  useEffect(() => {
    if (!isOpen) return;
    const onPointerDown = (event: PointerEvent) => {
      if (!root.current?.contains(event.target as Node)) setOpen(false);
    };
    document.addEventListener("pointerdown", onPointerDown);
    return () => document.removeEventListener("pointerdown", onPointerDown);
  }, [isOpen]);

  // The surface hangs at the button's left edge; where it would leave the window it is moved in.
  useLayoutEffect(() => {
    const element = surface.current;
    if (!isOpen || element === null) return;
    const { left, width } = element.getBoundingClientRect();
    const most = document.documentElement.clientWidth - MARGIN_PX - width;
    element.style.translate = `${Math.max(MARGIN_PX, Math.min(left, most)) - left}px 0`;
  }, [isOpen]);

  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: keys bubble up here from the button and the surface in it
    <div
      ref={root}
      className="relative min-w-0"
      onKeyDown={(event) => {
        if (event.key === "Escape" && isOpen) {
          event.stopPropagation();
          close();
        }
      }}
      onBlur={(event) => {
        if (event.relatedTarget !== null && !root.current?.contains(event.relatedTarget)) setOpen(false);
      }}
    >
      <button
        ref={button}
        type="button"
        className={triggerClassName}
        aria-label={label}
        aria-haspopup="dialog"
        aria-expanded={isOpen}
        aria-controls={isOpen ? id : undefined}
        onClick={() => setOpen(!isOpen)}
      >
        {trigger}
      </button>
      {isOpen && (
        <div
          ref={surface}
          id={id}
          role="dialog"
          aria-label={label}
          className={`absolute top-full left-0 z-30 mt-1.5 max-w-[calc(100vw-1.5rem)] rounded-lg border border-line bg-raised shadow-float ${className}`}
        >
          {children(close)}
        </div>
      )}
    </div>
  );
}
