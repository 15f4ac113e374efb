import type { Group, GroupCreate } from '@/api/types';

export interface GroupValues {
  name: string;
  description: string;
  /** The id of the group that it stands in; empty: in none. */
  parent_id: string;
  membership: Group['membership'];
  rule: string;
}

export const EMPTY_GROUP: GroupValues = { name: '', description: '', parent_id: '', membership: 'manual', rule: '' };

export function valuesOfGroup(group: Group): GroupValues {
  return {
    name: group.name,
    description: group.description,
    parent_id: group.parent_id ?? '',
    membership: group.membership,
    rule: group.rule ?? '',
  };
}

export function validateGroup(values: GroupValues): Partial<Record<keyof GroupValues, string>> {
  const errors: Partial<Record<keyof GroupValues, string>> = {};
  if (values.name.trim() === '') errors.name = 'Give it a name.';
  if (values.membership === 'rule' && values.rule.trim() === '') errors.rule = 'Say which hosts it holds.';
  return errors;
}

export function newGroupOf(values: GroupValues): GroupCreate {
  return {
    name: values.name.trim(),
    description: values.description,
    parent_id: values.parent_id || null,
    rule: values.membership === 'rule' ? values.rule.trim() : null,
  };
}
