import { Button, SegmentedControl, Select, Textarea, TextInput } from '@mantine/core';
import { useForm } from '@mantine/form';
import { useQuery } from '@tanstack/react-query';
import type { ReactNode } from 'react';
import { toApiError } from '@/api/problem';
import { groupChoicesQuery } from '@/api/queries/groups';
import type { Group } from '@/api/types';
import formClasses from '@/components/Form.module.css';
import { Card } from '@/components/Page';
import { ErrorBanner } from '@/components/States';
import classes from './GroupForm.module.css';
import { RuleHelp } from './RuleHelp';
import { RulePreview } from './RulePreview';
import { EMPTY_GROUP, validateGroup, valuesOfGroup, type GroupValues } from './model';

interface Props {
  saved?: Group;
  action: string;
  pending: boolean;
  error: unknown;
  errorActions?: ReactNode;
  cancel: ReactNode;
  onSubmit: (values: GroupValues, onError: (error: unknown) => void) => void;
}

const MEMBERSHIPS: { value: Group['membership']; label: string }[] = [
  { value: 'manual', label: 'Hosts that I choose' },
  { value: 'rule', label: 'Hosts that a rule finds' },
];

export function GroupForm({ saved, action, pending, error, errorActions, cancel, onSubmit }: Props) {
  const form = useForm<GroupValues>({
    initialValues: saved ? valuesOfGroup(saved) : EMPTY_GROUP,
    validate: validateGroup,
  });
  const groups = useQuery(groupChoicesQuery);
  const byRule = form.values.membership === 'rule';
  const showFieldErrors = (failure: unknown) => {
    const { fields } = toApiError(failure);
    if (fields.length > 0) form.setErrors(Object.fromEntries(fields.map(({ field, message }) => [field, message])));
  };
  return (
    <form className={classes.form} noValidate onSubmit={form.onSubmit((values) => onSubmit(values, showFieldErrors))}>
      <Card>
        <div className={formClasses.grid}>
          <TextInput
            className={formClasses.three}
            label="Name"
            placeholder="Berlin, web servers"
            withAsterisk
            autoComplete="off"
            data-autofocus
            {...form.getInputProps('name')}
          />
          <Select
            className={formClasses.three}
            label="Stands in"
            description="Its hosts are counted there too."
            placeholder="No other group"
            searchable
            clearable
            data={choices(groups.data ?? [], saved)}
            value={form.values.parent_id || null}
            onChange={(id) => form.setFieldValue('parent_id', id ?? '')}
            error={form.errors.parent_id}
          />
          <Textarea label="Description" autosize minRows={1} maxRows={4} {...form.getInputProps('description')} />
          <SegmentedControl
            aria-label="What it holds"
            data={MEMBERSHIPS}
            value={form.values.membership}
            onChange={(value) => form.setFieldValue('membership', value)}
          />
          {byRule ? (
            <div className={classes.rule}>
              <Textarea
                classNames={{ input: classes.ruleInput }}
                label="Rule"
                placeholder="os = debian and os_version >= 12 and not tag = lab"
                withAsterisk
                autosize
                minRows={2}
                maxRows={8}
                autoComplete="off"
                autoCapitalize="none"
                spellCheck={false}
                {...form.getInputProps('rule')}
              />
              <RulePreview rule={form.values.rule} />
              <RuleHelp />
            </div>
          ) : (
            <p className={classes.hint}>
              {saved?.membership === 'rule'
                ? 'The group will be empty at first: what its rule found is not kept.'
                : 'Hosts are added on the page of the group.'}
            </p>
          )}
          {byRule && saved?.membership === 'manual' && saved.hosts.total > 0 && (
            <p className={classes.hint}>The hosts that were chosen by hand leave the group; only the rule counts.</p>
          )}
        </div>
      </Card>
      <ErrorBanner error={error} actions={errorActions} />
      <div className={formClasses.actions}>
        <Button type="submit" size="sm" loading={pending}>
          {action}
        </Button>
        {cancel}
      </div>
    </form>
  );
}

/** Every group but this one and those in it, which it cannot stand in. */
function choices(groups: readonly Group[], saved: Group | undefined) {
  return groups
    .filter(({ id, inside }) => id !== saved?.id && !inside.some((outer) => outer.id === saved?.id))
    .map(({ id, name, inside }) => ({ value: id, label: [...inside.map((outer) => outer.name), name].join(' › ') }));
}
