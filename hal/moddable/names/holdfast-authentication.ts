/**
 * `holdfast/authentication` in a Moddable project: the AUTH exchange.
 */
export * from 'holdfast/src/session/authentication'
