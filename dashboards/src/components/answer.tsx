import type { UseQueryResult } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Failure, StaleNotice } from "@/components/notices";

/** What stands in a panel while its question is asked, when it failed, and when it is answered. */
export function Answer<Data>({
  query,
  skeleton,
  children,
}: {
  query: UseQueryResult<Data, Error>;
  skeleton: ReactNode;
  children: (data: Data) => ReactNode;
}) {
  const retry = () => void query.refetch();
  if (query.data === undefined) {
    if (query.error !== null) return <Failure error={query.error} onRetry={retry} />;
    return (
      <div aria-busy="true">
        <span className="sr-only" role="status">
          Loading
        </span>
        {skeleton}
      </div>
    );
  }
  return (
    <>
      {query.error !== null && (
        <div className="mb-3">
          <StaleNotice error={query.error} onRetry={retry} />
        </div>
      )}
      <div
        aria-busy={query.isPlaceholderData}
        className={`relative min-w-0 flex-1 transition-opacity duration-200 ${query.isPlaceholderData ? "opacity-50" : ""}`}
      >
        {children(query.data)}
      </div>
    </>
  );
}
