import { Select } from '@mantine/core';
import type { Analysis, ImportField } from '@/api/types';
import { Card } from '@/components/Page';
import classes from './Import.module.css';
import { FIELD_LABEL, withField, type Mapping } from './model';

const CHOICES = Object.entries(FIELD_LABEL).map(([value, label]) => ({ value, label }));
const ROWS_SHOWN = 5;
/** From which confidence on a suggestion is not marked as a guess. */
const SURE = 0.9;

interface Props {
  analysis: Analysis;
  mapping: Mapping;
  unnamed: boolean;
  onChange: (mapping: Mapping) => void;
}

/** The first rows, and above each column which field it holds. */
export function MappingTable({ analysis, mapping, unnamed, onChange }: Props) {
  const rows = analysis.rows.slice(0, ROWS_SHOWN);
  return (
    <Card title="What the columns hold" flush>
      <div className={classes.scroll}>
        <table className={classes.table}>
          <thead>
            <tr>
              <th scope="col">Line</th>
              {analysis.columns.map((column, index) => (
                <th key={column.name} scope="col">
                  <span className={classes.columnName}>{column.name}</span>
                  {column.secret ? (
                    <span className={classes.hint}>Not kept: it may hold secrets</span>
                  ) : (
                    <Select
                      aria-label={`Field of ${column.name}`}
                      placeholder="Not used"
                      clearable
                      data={CHOICES}
                      value={mapping[index] ?? null}
                      onChange={(field) => onChange(withField(mapping, index, field as ImportField | null))}
                    />
                  )}
                  {column.field !== null && column.field === mapping[index] && column.confidence < SURE && (
                    <span className={classes.hint}>A guess by its {column.reason === 'values' ? 'values' : 'name'}</span>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map((row) => (
              <tr key={row.line} data-refused={row.problem !== null || undefined}>
                <td>{row.line}</td>
                {row.cells.map((cell, index) => (
                  <td key={index}>{cell}</td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
      {unnamed && (
        <p className={classes.missing} role="alert">
          Choose the column of the name or the address.
        </p>
      )}
    </Card>
  );
}
