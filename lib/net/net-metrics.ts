import { Counter, type Family, Gauge, type Metrics } from '../metrics/index.ts';
import type { RefusalReason } from './peer.ts';

/** The figures of one listener. */
export interface ListenerFigures {
  readonly open: Gauge;
  readonly accepted: Counter;
  refused(reason: RefusalReason): Counter;
}

/** The figures of one set of certificate files. */
export interface CertificateFigures {
  readonly expiresSeconds: Gauge;
  readonly reloaded: Counter;
  readonly notUsable: Counter;
}

interface NetMetrics {
  readonly open: Family<Gauge>;
  readonly accepted: Family<Counter>;
  readonly refused: Family<Counter>;
  readonly expires: Family<Gauge>;
  readonly reloads: Family<Counter>;
}

/** A process has several listeners and certificates, and each name may be registered once. */
const registered = new WeakMap<Metrics, NetMetrics>();

/** Figures of the listener `name` among `metrics`; figures nobody reads without. */
export function listenerFigures(name: string, metrics: Metrics | undefined): ListenerFigures {
  const net = metrics && netMetrics(metrics);
  return {
    open: net?.open.labels(name) ?? new Gauge(),
    accepted: net?.accepted.labels(name) ?? new Counter(),
    refused: (reason) => net?.refused.labels(name, reason) ?? new Counter(),
  };
}

/** Figures of the certificate of `setting` among `metrics`; figures nobody reads without. */
export function certificateFigures(setting: string, metrics: Metrics | undefined): CertificateFigures {
  const net = metrics && netMetrics(metrics);
  return {
    expiresSeconds: net?.expires.labels(setting) ?? new Gauge(),
    reloaded: net?.reloads.labels(setting, 'ok') ?? new Counter(),
    notUsable: net?.reloads.labels(setting, 'not usable') ?? new Counter(),
  };
}

function netMetrics(metrics: Metrics): NetMetrics {
  const found = registered.get(metrics);
  if (found) return found;
  const made = {
    open: metrics.gauge({
      name: 'ringside_net_connections',
      help: 'Connections open now, handshakes included.',
      labels: ['listener'],
    }),
    accepted: metrics.counter({
      name: 'ringside_net_accepted_total',
      help: 'Connections accepted, by then with a verified certificate where TLS is on.',
      labels: ['listener'],
    }),
    refused: metrics.counter({
      name: 'ringside_net_refused_total',
      help: 'Connections refused, by the reason that the log names too.',
      labels: ['listener', 'reason'],
    }),
    expires: metrics.gauge({
      name: 'ringside_net_certificate_expires_seconds',
      help: 'Unix time at which the certificate in use expires.',
      labels: ['setting'],
    }),
    reloads: metrics.counter({
      name: 'ringside_net_certificate_reloads_total',
      help: 'New certificate files found: taken into use (ok), or not usable and the former ones kept.',
      labels: ['setting', 'result'],
    }),
  };
  registered.set(metrics, made);
  return made;
}
