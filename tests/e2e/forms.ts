/** How a gateway may serve the app: from a path of its own, where other apps share the origin, or from a subdomain. */
import { THOROUGH } from '../thorough.ts';

type Form = 'pathUrl' | 'subdomainUrl';

/** Both, where there is time; else the one that is named. */
export const formsOr = (one: Form): readonly Form[] => (THOROUGH ? ['pathUrl', 'subdomainUrl'] : [one]);
