//! The words of the wire contract about calls that wait for somebody's word. Held against the portal's description in agreement.ts.

export type ApprovalState = "pending" | "approved" | "refused" | "expired";
export type Approval = {
  id: string;
  turn: string;
  conversation: string | null;
  plugin: string;
  title: string;
  tool: string;
  arguments: string;
  asker: string;
  own: boolean;
  mine: boolean;
  approvers: string[];
  approver: "asker" | "administrators" | "people";
  state: ApprovalState;
  created_at: number;
  expires_at: number;
  decided_by: string | null;
  decided_at: number | null;
  reason: string | null;
};
export type ApprovalList = { pending: Approval[]; decided: Approval[] };
export type Decision = { decision: "approve" | "refuse"; reason?: string | null };
