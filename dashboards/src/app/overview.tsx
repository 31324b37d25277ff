import { useQuery } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { Empty, NotModelledYet } from "@/components/notices";
import { Events } from "@/features/events/events";
import { Funnel } from "@/features/funnel/funnel";
import { Headline } from "@/features/headline/headline";
import { Retention } from "@/features/retention/retention";
import { Trend } from "@/features/trend/trend";
import { isNotModelledYet } from "@/lib/api";
import { eventNamesQuery } from "@/lib/insights";
import { useView } from "@/lib/view";

/** The first page: what happened in the range, at a glance and then by question. */
export function Overview() {
  const { project, range } = useView();
  const { data, error, isPending } = useQuery(eventNamesQuery(project, range));
  // A question that failed counts as unasked while it is asked again. Until it is answered what it said last holds, or
  // the parts would come and go with each try, and ask theirs too.
  const [isBeforeModels, setBeforeModels] = useState(false);
  const isNowBeforeModels = isPending ? isBeforeModels : data === undefined && isNotModelledYet(error);
  if (isNowBeforeModels !== isBeforeModels) setBeforeModels(isNowBeforeModels);

  if (isNowBeforeModels) {
    return (
      <Waiting>
        <NotModelledYet />
      </Waiting>
    );
  }
  if (data !== undefined && data.meta.fresh_until === null) {
    return (
      <Waiting>
        <Empty title={`${project.name} waits for its first event`}>
          Send one to the collector with the project's write key. It counts within seconds of its arrival; this page
          looks again every minute.
        </Empty>
      </Waiting>
    );
  }
  return (
    <div className="grid grid-cols-1 gap-4 xl:grid-cols-[minmax(0,1fr)_22rem] 2xl:grid-cols-[minmax(0,1fr)_26rem]">
      <div className="min-w-0 xl:col-span-2">
        <Headline />
      </div>
      <Trend />
      <Events />
      <Funnel className="xl:col-span-2" />
      <Retention className="xl:col-span-2" />
    </div>
  );
}

/** One calm sentence in place of all parts: there is nothing to show, and nothing is wrong. */
function Waiting({ children }: { children: ReactNode }) {
  return (
    <div role="status" className="rounded-lg border border-line border-dashed py-12">
      {children}
    </div>
  );
}
