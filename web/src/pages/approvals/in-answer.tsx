//! The calls that an answer waits for, below its steps.
import { useApprovalsOf } from "@/pages/approvals/data";
import { Request } from "@/pages/approvals/request";
import { Failed } from "@/ui/failed";
import { Skeleton } from "@/ui/page";

export default function InAnswer({ turn }: { turn: string }) {
  const { data, error, isPending, refetch } = useApprovalsOf(turn);
  if (error) return <Failed error={error} again={refetch} />;
  if (isPending) return <Skeleton className="mb-3 h-36 rounded-card" />;
  return (
    <div className="mb-3 flex flex-col gap-3">
      {data.map((call) => (
        <Request key={call.id} call={call} />
      ))}
    </div>
  );
}
