/**
 * `holdfast` in a Moddable project: the public names.
 */
export * from 'holdfast/src/index'
