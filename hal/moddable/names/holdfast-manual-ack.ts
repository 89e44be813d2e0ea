/**
 * `holdfast/manual-ack` in a Moddable project: manual acknowledgement.
 */
export * from 'holdfast/src/session/manual-ack'
