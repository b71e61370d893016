/** Why a rule of a user is refused, in Redis's words. */
export class RuleProblem {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export const UNKNOWN_COMMAND = new RuleProblem('Unknown command or category name in ACL');
export const SYNTAX = new RuleProblem('Syntax error');
export const KEYS_AFTER_ALL = new RuleProblem(
  "Adding a pattern after the * pattern (or the 'allkeys' flag) is not valid and does not have any effect. Try 'resetkeys' to start with an empty list of patterns",
);
export const CHANNELS_AFTER_ALL = new RuleProblem(
  "Adding a pattern after the * pattern (or the 'allchannels' flag) is not valid and does not have any effect. Try 'resetchannels' to start with an empty list of channels",
);
export const NO_SUCH_PASSWORD = new RuleProblem(
  'The password you are trying to remove from the user does not exist',
);
export const BAD_HASH = new RuleProblem(
  'The password hash must be exactly 64 characters and contain only lowercase hexadecimal characters',
);
export const NO_FIRST_ARGUMENT = new RuleProblem('Allowing first-arg of a subcommand is not supported');
