/**
 * State lives in the address: `?state=failed&state=ok&search=web`. Every value is text, a repeated name is a
 * list, and what is absent is the default.
 */

export type RawSearch = Record<string, string | string[]>;

export function parseSearch(text: string): RawSearch {
  const values: RawSearch = {};
  const params = new URLSearchParams(text);
  for (const name of new Set(params.keys())) {
    const all = params.getAll(name);
    values[name] = all.length === 1 ? (all[0] ?? '') : all;
  }
  return values;
}

export function stringifySearch(search: Record<string, unknown>): string {
  const params = new URLSearchParams();
  for (const [name, value] of Object.entries(search)) {
    for (const entry of Array.isArray(value) ? (value as unknown[]) : [value]) {
      if (typeof entry === 'string' && entry !== '') params.append(name, entry);
      if (typeof entry === 'number') params.append(name, String(entry));
    }
  }
  const text = params.toString();
  return text === '' ? '' : `?${text}`;
}

/** One text, or undefined. */
export function one(value: unknown): string | undefined {
  const first: unknown = Array.isArray(value) ? value[0] : value;
  return typeof first === 'string' && first !== '' ? first : undefined;
}

/** A list of texts, or undefined when there is none. */
export function many(value: unknown): string[] | undefined {
  const list = (Array.isArray(value) ? value : [value]).filter(
    (entry): entry is string => typeof entry === 'string' && entry !== '',
  );
  return list.length > 0 ? list : undefined;
}

/** A list of members of a closed set; strangers are dropped. */
export function manyOf<T extends string>(value: unknown, allowed: readonly T[]): T[] | undefined {
  const list = many(value)?.filter((entry): entry is T => (allowed as readonly string[]).includes(entry));
  return list && list.length > 0 ? list : undefined;
}

/** An empty list and an empty text leave the address. */
export function orAbsent<T extends string>(value: readonly T[]): T[] | undefined {
  return value.length > 0 ? [...value] : undefined;
}
