import { Skeleton } from '@mantine/core';
import {
  flexRender,
  getCoreRowModel,
  useReactTable,
  type ColumnDef,
  type Header,
  type Row,
  type RowData,
} from '@tanstack/react-table';
import { useWindowVirtualizer } from '@tanstack/react-virtual';
import { memo, useEffect, useLayoutEffect, useRef, useState, type MouseEvent } from 'react';
import classes from './DataTable.module.css';
import { Icon } from './Icon';
import { useRowKeys } from './useRowKeys';

declare module '@tanstack/react-table' {
  // eslint-disable-next-line @typescript-eslint/no-unused-vars -- the signature must equal the library's
  interface ColumnMeta<TData extends RowData, TValue> {
    align?: 'left' | 'right';
    width?: string;
    /** Where the cell goes when a row becomes a card: a line of its own, left or right half, or nowhere. */
    narrow?: 'full' | 'start' | 'end' | 'hide';
    /** What the API's `sort` calls it; absent means that it cannot be sorted by. */
    sort?: string;
    /** The order that the first click asks for. */
    first?: 'asc' | 'desc';
  }
}

interface Props<T> {
  label: string;
  columns: ColumnDef<T>[];
  rows: readonly T[];
  rowId: (row: T) => string;
  total?: number | null;
  loading?: boolean;
  /** The rows on the screen answer an earlier question; the new answer is on its way. */
  stale?: boolean;
  sort?: string;
  onSort?: (sort: string) => void;
  hasMore?: boolean;
  loadingMore?: boolean;
  onMore?: () => void;
  selectedId?: string | null;
}

const ROW_HEIGHT = 46;
const SKELETON_ROWS = 8;
const OVERSCAN = 12;

/**
 * A table of any length: only the rows near the screen are in the document, the rest is room. j and k move
 * between the rows' links; on a narrow screen rows become cards.
 */
export function DataTable<T>(props: Props<T>) {
  const { label, columns, rows, rowId, total, loading = false, stale = false, selectedId } = props;
  const frame = useRef<HTMLDivElement>(null);
  const table = useReactTable({
    data: rows as T[],
    columns,
    getCoreRowModel: getCoreRowModel(),
    getRowId: rowId,
    manualSorting: true,
  });
  const model = table.getRowModel().rows;
  const virtual = useWindowVirtualizer({
    count: model.length,
    estimateSize: () => ROW_HEIGHT,
    overscan: OVERSCAN,
    scrollMargin: useOffsetTop(frame),
    getItemKey: (index) => model[index]?.id ?? index,
    // A row that is not laid out has no height; it must not make all rows fit on the screen.
    measureElement: (element) => element.getBoundingClientRect().height || ROW_HEIGHT,
  });
  const items = virtual.getVirtualItems();
  const lastShown = items.at(-1)?.index ?? -1;
  useMoreAtEnd(props, lastShown, model.length);
  useRowKeys(frame, model.length, (index) => virtual.scrollToIndex(index, { align: 'auto' }));

  const before = (items[0]?.start ?? virtual.options.scrollMargin) - virtual.options.scrollMargin;
  const end = items.at(-1)?.end ?? virtual.options.scrollMargin;
  const after = virtual.getTotalSize() - (end - virtual.options.scrollMargin);

  return (
    <div ref={frame} className={stale ? `${classes.frame} ${classes.stale}` : classes.frame}>
      {/* Explicit roles: the card layout of a narrow screen would otherwise drop them. */}
      <table className={classes.table} role="table" aria-label={label} aria-rowcount={total ?? -1} aria-busy={loading}>
        <thead role="rowgroup">
          {table.getHeaderGroups().map((group) => (
            <tr key={group.id} role="row">
              {group.headers.map((header) => (
                <HeaderCell key={header.id} header={header} sort={props.sort} onSort={props.onSort} />
              ))}
            </tr>
          ))}
        </thead>
        <tbody role="rowgroup">
          {loading && <SkeletonRows columns={columns.length} />}
          <Spacer height={before} columns={columns.length} />
          {items.map((item) => {
            const row = model[item.index];
            if (!row) return null;
            return (
              <MemoRow
                key={item.key}
                row={row}
                index={item.index}
                selected={row.id === selectedId}
                measure={virtual.measureElement}
              />
            );
          })}
          <Spacer height={after} columns={columns.length} />
        </tbody>
      </table>
      {props.loadingMore && (
        <div className={classes.foot} role="status">
          Loading more…
        </div>
      )}
    </div>
  );
}

function HeaderCell<T>(props: { header: Header<T, unknown>; sort?: string; onSort?: (sort: string) => void }) {
  const { header, sort, onSort } = props;
  const { column } = header;
  const meta = column.columnDef.meta;
  const text = flexRender(column.columnDef.header, header.getContext());
  const name = meta?.sort;
  if (!name || !onSort) {
    return (
      <th role="columnheader" scope="col" data-align={meta?.align} style={{ width: meta?.width }}>
        {text}
      </th>
    );
  }
  const direction = sort === name ? 'ascending' : sort === `-${name}` ? 'descending' : 'none';
  const next = direction === 'none' ? (meta.first === 'desc' ? `-${name}` : name) : direction === 'ascending' ? `-${name}` : name;
  return (
    <th role="columnheader" scope="col" aria-sort={direction} data-align={meta.align} style={{ width: meta.width }}>
      <button
        type="button"
        className={classes.sort}
        data-active={direction === 'none' ? undefined : true}
        onClick={() => onSort(next)}
      >
        {text}
        <Icon name={direction === 'descending' ? 'chevronDown' : 'chevronUp'} size={12} />
      </button>
    </th>
  );
}

interface BodyRowProps<T> {
  row: Row<T>;
  index: number;
  selected: boolean;
  measure: (element: HTMLTableRowElement | null) => void;
}

function BodyRow<T>({ row, index, selected, measure }: BodyRowProps<T>) {
  return (
    // The keyboard's way to a row is the link inside it; the click on the rest of the row follows that link.
    <tr
      ref={measure}
      role="row"
      className={classes.row}
      data-index={index}
      data-selected={selected || undefined}
      aria-rowindex={index + 2}
      onClick={followRowLink}
    >
      {row.getVisibleCells().map((cell) => (
        <td
          key={cell.id}
          role="cell"
          data-align={cell.column.columnDef.meta?.align}
          data-narrow={cell.column.columnDef.meta?.narrow}
        >
          {flexRender(cell.column.columnDef.cell, cell.getContext())}
        </td>
      ))}
    </tr>
  );
}

/** Scrolling must not paint rows again that are already there; a patched row is another object. */
const MemoRow = memo(
  BodyRow,
  (before, after) =>
    before.row.original === after.row.original &&
    before.row.getVisibleCells().length === after.row.getVisibleCells().length &&
    before.index === after.index &&
    before.selected === after.selected,
) as typeof BodyRow;

function followRowLink(event: MouseEvent<HTMLTableRowElement>): void {
  const target = event.target as Element;
  if (target.closest('a, button, input, label, [role="dialog"]')) return;
  if (!event.currentTarget.contains(target)) return;
  if (window.getSelection()?.toString()) return;
  const link = event.currentTarget.querySelector<HTMLAnchorElement>('[data-row-link]');
  const { ctrlKey, metaKey, shiftKey } = event;
  link?.dispatchEvent(new window.MouseEvent('click', { bubbles: true, cancelable: true, ctrlKey, metaKey, shiftKey }));
}

function Spacer({ height, columns }: { height: number; columns: number }) {
  if (height <= 0) return null;
  return (
    <tr className={classes.spacer} aria-hidden="true">
      <td colSpan={columns} style={{ height }} />
    </tr>
  );
}

function SkeletonRows({ columns }: { columns: number }) {
  return Array.from({ length: SKELETON_ROWS }, (_row, row) => (
    <tr key={row} role="row" aria-hidden="true">
      {Array.from({ length: columns }, (_column, column) => (
        <td key={column} role="cell">
          <Skeleton height={12} width={column === 0 ? '70%' : '50%'} radius="sm" />
        </td>
      ))}
    </tr>
  ));
}

function useMoreAtEnd<T>(props: Props<T>, lastShown: number, length: number): void {
  const { hasMore = false, loadingMore = false, onMore } = props;
  const nearEnd = length > 0 && lastShown >= length - OVERSCAN;
  useEffect(() => {
    if (nearEnd && hasMore && !loadingMore) onMore?.();
  }, [nearEnd, hasMore, loadingMore, onMore]);
}

/** Where the table begins on the page; what stands above it may change its height. */
function useOffsetTop(frame: React.RefObject<HTMLElement | null>): number {
  const [top, setTop] = useState(0);
  useLayoutEffect(() => {
    const measure = () => {
      if (!frame.current) return;
      setTop(Math.round(frame.current.getBoundingClientRect().top + window.scrollY));
    };
    measure();
    const observer = new ResizeObserver(measure);
    observer.observe(document.body);
    return () => observer.disconnect();
  }, [frame]);
  return top;
}
