/**
 * `holdfast/persistence` in a Moddable project: values by key.
 */
export * from 'holdfast/src/store/persistence'
