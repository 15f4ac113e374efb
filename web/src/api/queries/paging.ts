import { infiniteQueryOptions, type InfiniteData, type QueryKey } from '@tanstack/react-query';

export interface Page<T> {
  items: T[];
  next_cursor?: string | null;
  total?: number | null;
}

export type Pages<P> = InfiniteData<P, string | undefined>;

export const PAGE_SIZE = 100;

/** A cursor-paged list whose pages are appended as the reader scrolls. */
export function pagedQuery<T, P extends Page<T>, K extends QueryKey>(
  queryKey: K,
  fetchPage: (cursor: string | undefined, signal: AbortSignal) => Promise<P>,
) {
  return infiniteQueryOptions<P, Error, Pages<P>, K, string | undefined>({
    queryKey,
    queryFn: ({ pageParam, signal }) => fetchPage(pageParam, signal),
    initialPageParam: undefined,
    getNextPageParam: (page) => page.next_cursor ?? undefined,
    placeholderData: (previous) => previous,
  });
}

export function allItems<T>(pages: { pages: Page<T>[] } | undefined): T[] {
  return pages?.pages.flatMap((page) => page.items) ?? [];
}

export function totalOf(pages: { pages: Page<unknown>[] } | undefined): number | null {
  return pages?.pages[0]?.total ?? null;
}

/** Replaces one row wherever it is listed; pages without it keep their identity. */
export function patchRow<T extends { id: string }, P extends Page<T>>(
  pages: Pages<P> | undefined,
  row: T,
): Pages<P> | undefined {
  return editPages<T, P>(pages, (items) =>
    items.some((item) => item.id === row.id)
      ? items.map((item) => (item.id === row.id ? row : item))
      : items,
  );
}

export function removeRow<T extends { id: string }, P extends Page<T>>(
  pages: Pages<P> | undefined,
  id: string,
): Pages<P> | undefined {
  return editPages<T, P>(pages, (items) =>
    items.some((item) => item.id === id) ? items.filter((item) => item.id !== id) : items,
  );
}

function editPages<T, P extends Page<T>>(
  pages: Pages<P> | undefined,
  edit: (items: T[]) => T[],
): Pages<P> | undefined {
  if (!pages) return pages;
  const next = pages.pages.map((page) => {
    const items = edit(page.items);
    return items === page.items ? page : { ...page, items };
  });
  const changed = next.some((page, index) => page !== pages.pages[index]);
  return changed ? { ...pages, pages: next } : pages;
}
