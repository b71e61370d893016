export { Authority, type Leaf, type PemPair, type Validity } from './authority.ts';
export { type CertsRequest, type MadeCert, type MadeCerts, makeCerts } from './make-certs.ts';
