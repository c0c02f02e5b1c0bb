/** The sections of the settings as they stand in an address, in groups: the app itself, what it keeps, the others, the account. */
export const SETTINGS_GROUPS = [
	['appearance', 'language', 'keyboard', 'introduction'],
	['models', 'conversations', 'this-device'],
	['privacy', 'doors', 'sources', 'share'],
	['backup', 'move', 'account-end', 'wipe']
] as const;

export type SettingsSection = (typeof SETTINGS_GROUPS)[number][number];

/** Where a section stands; without one, the list of them. */
export type SettingsPath = '/settings' | `/settings/${SettingsSection}`;
