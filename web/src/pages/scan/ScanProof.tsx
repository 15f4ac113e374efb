import type { Scan } from '@/api/types';
import { Hash } from '@/components/CodeBlock';
import { Card, Facts } from '@/components/Page';
import { bytes, count } from '@/format/number';
import { duration } from '@/format/time';
import classes from './Scan.module.css';

/** What makes the result provable, and what it cost the host. */
export function ScanProof({ scan }: { scan: Scan }) {
  const { stats } = scan;
  return (
    <Card title="Proof and cost">
      <div className={classes.proof}>
        <Facts
          rows={[
            ['Root hash', scan.root_hash && <Hash value={scan.root_hash} label="root hash" />],
            [
              'Previous root',
              scan.previous_root_hash ? (
                <Hash value={scan.previous_root_hash} label="previous root hash" />
              ) : (
                'none, first of this host'
              ),
            ],
            ['Signature', scan.signature && <Hash value={scan.signature} label="signature" />],
            ['Signing key', scan.signing_key_id && <code>{scan.signing_key_id}</code>],
          ]}
        />
        <Facts
          rows={[
            ['Facts', typeof scan.facts_count === 'number' ? count(scan.facts_count) : null],
            ['Round trips', stats && count(stats.round_trips)],
            ['Sent', stats && bytes(stats.bytes_sent)],
            ['Received', stats && bytes(stats.bytes_received)],
          ]}
        />
        <Facts
          rows={[
            ...Object.entries(stats?.seconds ?? {}).map(
              ([stage, seconds]) => [stage.charAt(0).toUpperCase() + stage.slice(1), duration(seconds)] as const,
            ),
          ]}
        />
      </div>
    </Card>
  );
}
