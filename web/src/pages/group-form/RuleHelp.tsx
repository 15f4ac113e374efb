import { useQuery } from '@tanstack/react-query';
import { ruleFieldsQuery } from '@/api/queries/groups';
import classes from './GroupForm.module.css';

/** What a rule can ask for, as the API tells it. */
export function RuleHelp() {
  const fields = useQuery(ruleFieldsQuery);
  return (
    <details className={classes.help}>
      <summary>What a rule can ask for</summary>
      <p>
        Join comparisons by <code>and</code>, <code>or</code>, <code>not</code> and brackets. <code>in (a, b)</code> means
        any of them, <code>~</code> compares with <code>*</code> and <code>?</code>, text with blanks stands in quotes. A
        host without a value fulfils no comparison with it.
      </p>
      <table>
        <thead>
          <tr>
            <th scope="col">Field</th>
            <th scope="col">Compared by</th>
            <th scope="col">What it is</th>
          </tr>
        </thead>
        <tbody>
          {fields.data?.map((field) => (
            <tr key={field.name}>
              <th scope="row">
                <code>{field.name}</code>
              </th>
              <td>
                <code>{field.operators.join('  ')}</code>
              </td>
              <td>{field.description}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </details>
  );
}
