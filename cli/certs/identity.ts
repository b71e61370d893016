const ROLE_AND_ID = /^([a-z][a-z0-9-]*)\/([A-Za-z0-9][A-Za-z0-9._-]*)$/;

/** Who a certificate is for: `role/id`, in the fleet `spiffe://ringside/role/id`. */
export interface Identity {
  readonly role: string;
  readonly id: string;
}

/** Reads `role/id`; null when it is not. */
export function parseIdentity(text: string): Identity | null {
  const found = ROLE_AND_ID.exec(text);
  return found && { role: found[1], id: found[2] };
}
