import { type ReactNode, useEffect, useId, useRef } from "react";
import { CloseIcon } from "@/components/icons";

/** A dialog over the page, open as long as it is shown; `children` are given what closes it. */
export function Dialog({
  title,
  onClose,
  children,
}: {
  title: string;
  onClose: () => void;
  children: (close: () => void) => ReactNode;
}) {
  const dialog = useRef<HTMLDialogElement>(null);
  const heading = useId();
  useEffect(() => dialog.current?.showModal(), []);
  const close = () => dialog.current?.close();
  return (
    <dialog
      ref={dialog}
      aria-labelledby={heading}
      onClose={onClose}
      className="m-auto w-full max-w-lg rounded-lg border border-line bg-raised p-0 shadow-float backdrop:bg-[oklch(0.2_0.01_175/0.45)] max-sm:max-w-[calc(100vw-1.5rem)]"
    >
      <div className="flex items-center justify-between px-5 pt-4">
        <h2 id={heading} className="font-semibold text-lg">
          {title}
        </h2>
        <button type="button" className="icon-button" aria-label="Close" onClick={close}>
          <CloseIcon />
        </button>
      </div>
      {children(close)}
    </dialog>
  );
}
