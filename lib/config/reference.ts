import { configSchema, groupOf, type Option } from './schema.ts';

/** The reference of all options as Markdown, made of the schema: `docs/configuration.md` below its introduction. */
export function configurationReference(): string {
  return section('', configSchema as Option).join('\n');
}

function section(path: string, group: Option): string[] {
  const lines: string[] = [];
  const later: string[] = [];
  for (const [key, option] of Object.entries(group.properties ?? {})) {
    const name = path ? `${path}.${key}` : key;
    const inner = option.items ? groupOf(option.items) : groupOf(option);
    if (option.type !== 'object') lines.push(...entry(name, option));
    if (inner)
      later.push(
        ...heading(option.items ? `${name}[]` : name, inner),
        ...section(option.items ? `${name}[]` : name, inner),
      );
  }
  return [...lines, ...later];
}

function heading(name: string, group: Option): string[] {
  return [`## \`${name}\``, '', group.description ?? '', ''];
}

function entry(name: string, option: Option): string[] {
  const facts = [
    `Unit: ${option.unit}`,
    `default: ${shownDefault(option.default)}`,
    ...(option.expects && ![option.unit, 'text'].includes(option.expects) ? [`takes ${option.expects}`] : []),
  ];
  const lines = [`**\`${name}\`** — ${option.description}`, '', `${facts.join('; ')}.`, ''];
  if (option.formula) lines.push(`Formula: \`${option.formula}\`.`, '');
  return lines;
}

function shownDefault(value: unknown): string {
  if (value === undefined) return 'none, it has to be given';
  if (value === null) return 'not set';
  if (Array.isArray(value)) return 'empty';
  return `\`${value}\``;
}
