import { useQuery } from '@tanstack/react-query';
import { Link } from '@tanstack/react-router';

import { credentialChoicesQuery } from '@/api/queries/credentials';
import { deletedHostsCountQuery } from '@/api/queries/hosts';
import { useCan } from '@/app/session';
import { ButtonLink } from '@/components/ButtonLink';
import { Icon } from '@/components/Icon';
import { plural } from '@/format/number';
import classes from './Hosts.module.css';

/** No host yet: the few steps to the first result, and which of them is done. */
export function FirstHost({ canAdd }: { canAdd: boolean }) {
  const canReadCredentials = useCan('credential:read');
  const credentials = useQuery({ ...credentialChoicesQuery, enabled: canAdd && canReadCredentials });
  const deleted = useQuery(deletedHostsCountQuery);
  const hasCredential = (credentials.data?.length ?? 0) > 0;
  return (
    <section className={classes.first} aria-labelledby="first-host">
      <div className={classes.firstHead}>
        <h2 id="first-host">Measure your first host</h2>
        <p>Nothing is installed on it. OpenWatch logs in over SSH, reads, and leaves no file behind.</p>
      </div>
      <ol className={classes.steps}>
        <Step number={1} done={hasCredential} title="A way to log in">
          {hasCredential
            ? 'You have a credential that the new host can use.'
            : 'An SSH key or a password of an account that may use sudo. You can enter it together with the host.'}
        </Step>
        <Step number={2} title="The host’s address">
          The connection is tested step by step before anything is saved, and you see the host’s key to accept.
        </Step>
        <Step number={3} title="Scan">
          Takes seconds. Each rule says what was read, what was expected, and on which line it stands.
        </Step>
      </ol>
      {(deleted.data ?? 0) > 0 && (
        <p>
          {plural(deleted.data ?? 0, 'host')} deleted.{' '}
          <Link to="/hosts" search={{ deleted: 'true' }} className={classes.inText}>
            See the deleted hosts
          </Link>
        </p>
      )}
      {canAdd ? (
        <div className={classes.firstActions}>
          <ButtonLink to="/hosts/new" size="sm" leftSection={<Icon name="plus" size={14} />}>
            Add host
          </ButtonLink>
          <ButtonLink to="/hosts/import" size="sm" variant="default" leftSection={<Icon name="upload" size={14} />}>
            Import hosts
          </ButtonLink>
        </div>
      ) : (
        <p>You may look at hosts, but not add them. Ask an administrator to add the first one.</p>
      )}
    </section>
  );
}

function Step(props: { number: number; title: string; done?: boolean; children: string }) {
  const { number, title, done = false, children } = props;
  return (
    <li className={classes.step}>
      <span className={classes.stepNumber} data-done={done || undefined}>
        {done ? <Icon name="check" size={14} /> : number}
      </span>
      <span className={classes.stepTitle}>
        {title}
        {done && <span className="visually-hidden"> (done)</span>}
      </span>
      <span className={classes.stepText}>{children}</span>
    </li>
  );
}
