/**
 * `holdfast/aliases` in a Moddable project: topic aliases.
 */
export * from 'holdfast/src/session/topic-aliases'
