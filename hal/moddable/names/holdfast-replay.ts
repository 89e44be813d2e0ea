/**
 * `holdfast/replay` in a Moddable project: messages on flash, read again.
 */
export * from 'holdfast/src/replay'
