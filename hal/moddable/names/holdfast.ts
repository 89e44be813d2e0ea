/**
 * `holdfast` in a Moddable project: The public names.
 */
export * from 'holdfast/src/index'
