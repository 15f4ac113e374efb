import type { Scan } from '@/api/types';
import { Card, Facts } from '@/components/Page';
import { ScoreRing } from '@/components/ScoreRing';
import { SeverityMeters } from '@/components/SeverityMeters';
import { VerdictLegend } from '@/components/VerdictLegend';
import classes from './Scan.module.css';

const PRIVILEGE_TEXT: Record<string, string> = {
  root: 'root login',
  sudo: 'sudo without a password',
  sudo_password: 'sudo with a password',
  none: 'none: what needs root could not be measured',
};

export function ScanSummary({ scan }: { scan: Scan }) {
  return (
    <Card>
      <div className={classes.summary}>
        <ScoreRing score={scan.score} />
        <div className={classes.block}>
          <h2>Rules by verdict</h2>
          {scan.score && <VerdictLegend counts={scan.score} />}
        </div>
        <div className={classes.block}>
          <h2>Failing by severity</h2>
          {scan.failing && <SeverityMeters failing={scan.failing} />}
        </div>
        <div className={classes.block}>
          <h2>The host at that time</h2>
          <Facts
            rows={[
              ['System', scan.os?.name],
              ['Kernel', scan.kernel && <code>{scan.kernel}</code>],
              ['Privilege', scan.privilege && (PRIVILEGE_TEXT[scan.privilege] ?? scan.privilege)],
            ]}
          />
        </div>
      </div>
    </Card>
  );
}
