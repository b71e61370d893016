export { type Dice, Found, type VisitBytes } from './bytes.ts';
export { HashValue, type VisitField } from './hash.ts';
export { ListValue, type VisitElement } from './list.ts';
export { SetValue } from './set.ts';
export { type VisitMember, ZsetValue } from './zset.ts';
