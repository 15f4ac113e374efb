import { useQuery } from '@tanstack/react-query';
import { frameworksQuery } from '@/api/queries/rules';
import type { Framework } from '@/api/types';
import { useCan } from './session';

interface Frameworks {
  all: readonly Framework[];
  /** "CIS Debian Linux 12 Benchmark 1.1.0"; the id until the catalogue is here. */
  nameOf: (id: string) => string;
  /** The few names that a table has room for: "CIS, STIG, NIST 800-53". */
  familiesOf: (ids: readonly string[]) => string;
}

const NONE: readonly Framework[] = [];

export function useFrameworks(): Frameworks {
  const allowed = useCan('rule:read');
  const { data: all = NONE } = useQuery({ ...frameworksQuery, enabled: allowed });
  const find = (id: string) => all.find((entry) => entry.id === id);
  return {
    all,
    nameOf: (id) => {
      const found = find(id);
      return found ? [found.name, found.version].filter(Boolean).join(' ') : id;
    },
    familiesOf: (ids) => [...new Set(ids.map((id) => shortName(find(id)?.family ?? id)))].join(', '),
  };
}

/** "nist_800_53" reads "NIST 800-53": ids are lower-case names with underscores. */
function shortName(id: string): string {
  const [first = '', ...rest] = id.split('_');
  const number = rest.filter((part) => /^\d/.test(part)).join('-');
  const words = rest.filter((part) => !/^\d/.test(part));
  return [first, ...words].map((word) => word.toUpperCase()).join(' ') + (number === '' ? '' : ` ${number}`);
}
