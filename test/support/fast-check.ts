import fc from 'fast-check';

/** Properties are tried with the same values each time, and with others under another SEED. */
fc.configureGlobal({ seed: Number(process.env.SEED ?? 20261121) });

export { fc };
