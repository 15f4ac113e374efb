import { useState } from 'react';
import { useCan } from '@/app/session';
import { Page } from '@/components/Page';
import { EmptyState } from '@/components/States';
import { FileChoice, type Chosen } from './FileChoice';
import { ImportFile } from './ImportFile';

const HOSTS = { to: '/hosts', label: 'Hosts' } as const;

/** From a file to hosts: choose it, see what it holds, try, import. */
export function ImportPage() {
  const canWrite = useCan('host:write');
  const [chosen, setChosen] = useState<Chosen | null>(null);
  return (
    <Page title="Import hosts" crumb={HOSTS}>
      {!canWrite ? (
        <EmptyState icon="host" title="You may not import hosts">
          <p>This needs the permission host:write. Ask an administrator.</p>
        </EmptyState>
      ) : chosen === null ? (
        <FileChoice onChoose={setChosen} />
      ) : (
        <ImportFile chosen={chosen} onOther={() => setChosen(null)} />
      )}
    </Page>
  );
}
