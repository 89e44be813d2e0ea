/**
 * `holdfast/small` in a Moddable project: the small client.
 */
export * from 'holdfast/src/small/index'
