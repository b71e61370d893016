/** Writes docs/configuration.md from the schema: `node scripts/write-configuration-docs.ts`. */
import { writeFileSync } from 'node:fs';
import { configurationReference } from '../lib/config/index.ts';

const introduction = `# Configuration

One YAML file for every role, given with \`--config FILE\`; a role reads what concerns it. \`--set path=value\` puts a setting
over the file (repeatable, the value is YAML): \`--set node.port=7502\`, \`--set namespaces.0.ack=replica\`,
\`--set 'tls={ca: ca.pem, cert: me.pem, key: me.key}'\`.

- \`ringside validate FILE\` says \`OK\`, or every mistake with its line. Unknown keys are mistakes, and rules of \`proxy.users\` that \`ACL SETUSER\` would refuse.
- \`ringside validate --schema\` prints the JSON Schema, for editors.
- An empty value (\`port:\`) means the default. Text needs no quotes unless YAML asks for them: a password \`007\` stays \`007\`.
- Sizes are bytes, or as Redis writes them: \`1k\` is 1000, \`1kb\` is 1024, and so on with \`m\` and \`g\`.
- The configuration is read once, when a process starts. Certificates are the exception: changed files are taken into use.

This page is made of the schema (\`lib/config/schema*.ts\`) by \`scripts/write-configuration-docs.ts\`; a test holds the two together.

## All roles

`;

writeFileSync(new URL('../docs/configuration.md', import.meta.url), introduction + configurationReference());
