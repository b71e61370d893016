import { testsOfKills } from '../support/crash/aof-kills.ts';

/* Under `everysec` what was acknowledged in the last second is lost at most, under `no` anything. */

testsOfKills(['everysec', 1 / 3], ['no', 1 / 6]);
