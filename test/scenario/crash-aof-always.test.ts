import { testsOfKills } from '../support/crash/aof-kills.ts';

/* Under `always` nothing acknowledged is lost. */

testsOfKills(['always', 1 / 2]);
