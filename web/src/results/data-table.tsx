//! A table that a tool answered: sorted by any column, copied as CSV, scrolled sideways on a phone.
import { ArrowDown, ArrowUp, ArrowUpDown } from "lucide-react";
import { useMemo, useState } from "react";
import { cx } from "@/lib/cx";
import { useLanguage, useT } from "@/lib/i18n";
import { type Cell, type Table, csv, numeric, sorted } from "@/results/parts";
import { Button } from "@/ui/button";
import { CopyButton } from "@/ui/copy-button";
import { TableFrame } from "@/ui/table-frame";

/** More rows than this are shown when asked for. */
const SHOWN = 100;

type Sort = { column: number; down: boolean };

export function DataTable({ table }: { table: Table }) {
  const t = useT("steps");
  const [sort, setSort] = useState<Sort | null>(null);
  const [all, setAll] = useState(false);
  const { columns, rows } = table;
  const ordered = useMemo(() => (sort ? sorted(rows, sort.column, sort.down) : rows), [rows, sort]);
  const numbers = useMemo(() => columns.map((_, at) => rows.length > 0 && rows.every((row) => row[at] === null || numeric(row[at]) !== null)), [columns, rows]);
  const shown = all ? ordered : ordered.slice(0, SHOWN);
  // First up, then down, then as it came.
  const turn = (column: number) => setSort(sort?.column !== column ? { column, down: false } : sort.down ? null : { column, down: true });
  return (
    <div className="min-w-0">
      <div className="flex items-center justify-between gap-3">
        <p className="tabular text-meta text-muted-foreground">{t("rows", { count: rows.length })}</p>
        <CopyButton text={() => csv({ columns, rows: ordered })} label={t("copy_csv")} />
      </div>
      <TableFrame label={t("table")} className="mt-1 max-h-[420px] overflow-y-auto">
        <table className="w-full border-collapse text-ui">
          <thead className="sticky top-0 z-1 bg-surface">
            <tr>
              {columns.map((name, at) => (
                <Head key={at} name={name} right={numbers[at] ?? false} sort={sort?.column === at ? sort : null} onTurn={() => turn(at)} />
              ))}
            </tr>
          </thead>
          <tbody>
            {shown.map((row, place) => (
              <tr key={place} className="border-t">
                {row.map((value, at) => (
                  <td key={at} className={cx("max-w-[40ch] px-3 py-1.5 align-top break-words", numbers[at] && "tabular text-right whitespace-nowrap")}>
                    <Value value={value} />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </TableFrame>
      {shown.length < rows.length ? (
        <Button size="small" variant="ghost" className="mt-1" onClick={() => setAll(true)}>
          {t("all_rows", { count: rows.length })}
        </Button>
      ) : null}
    </div>
  );
}

function Head({ name, right, sort, onTurn }: { name: string; right: boolean; sort: Sort | null; onTurn: () => void }) {
  const t = useT("steps");
  const order = sort === null ? "none" : sort.down ? "descending" : "ascending";
  const Icon = sort === null ? ArrowUpDown : sort.down ? ArrowDown : ArrowUp;
  return (
    <th scope="col" aria-sort={order} className="p-0 text-left font-medium">
      <button
        type="button"
        onClick={onTurn}
        data-tip={t("sort", { column: name })}
        className={cx("flex min-h-9 w-full items-center gap-1.5 px-3 py-1.5 whitespace-nowrap -outline-offset-2 hover:bg-hover coarse:min-h-11", right && "justify-end")}
      >
        {name}
        <Icon className={cx("size-3.5 shrink-0", sort === null && "text-muted-foreground")} aria-hidden="true" />
      </button>
    </th>
  );
}

function Value({ value }: { value: Cell }) {
  const language = useLanguage();
  if (value === null) return <span className="text-muted-foreground">–</span>;
  // Years and ids are numbers, too: none is grouped, and none is rounded.
  if (typeof value === "number") return <>{new Intl.NumberFormat(language, { useGrouping: false, maximumFractionDigits: 20 }).format(value)}</>;
  return <>{String(value)}</>;
}
